import { createElement, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { useOrders } from '../../../docs/recipes/react/use-orders.js';

function Orders({ url }: { url: string }) {
  const { orders, state } = useOrders(url);
  return `${state}: ${orders.join(' ')}`;
}

const root = createRoot(document.querySelector('#app')!);
const show = (url: string): void =>
  root.render(createElement(StrictMode, null, createElement(Orders, { url })));

export const recipe = { show, unmount: () => root.unmount() };
Object.assign(globalThis, { recipe });
