import { Activity, createElement, StrictMode, useEffect, useReducer } from 'react';
import { createRoot } from 'react-dom/client';
import type { StreamEvent } from 'nestjs-eventstream/client';
import { useOrders } from '../../../docs/recipes/react/plain-effect.js';
import { useEventStream } from '../../../docs/recipes/react/use-event-stream.js';

interface OrderEvents {
  created: { no: number };
}

function add(orders: readonly number[], event: StreamEvent<OrderEvents>): readonly number[] {
  return event.type === 'created' ? [...orders, event.data.no] : orders;
}

function Orders({ url }: { url: string }) {
  const [orders, dispatch] = useReducer(add, []);
  useEffect(() => void (recipe.mounts += 1), []);
  const { state } = useEventStream<OrderEvents>(url, dispatch, {
    headers: () => ({ 'x-orders': String(orders.length) }),
  });
  return `${state}: ${orders.join(' ')}`;
}

function PlainOrders() {
  return useOrders()
    .map(({ no }) => no)
    .join(' ');
}

const root = createRoot(document.querySelector('#app')!);
const show = (url: string, mode: 'visible' | 'hidden' = 'visible'): void =>
  root.render(
    createElement(
      StrictMode,
      null,
      createElement(Activity, { mode, children: createElement(Orders, { url }) }),
    ),
  );
const showPlain = (): void =>
  root.render(createElement(StrictMode, null, createElement(PlainOrders)));

export const recipe = { show, showPlain, unmount: () => root.unmount(), mounts: 0 };
Object.assign(globalThis, { recipe });
