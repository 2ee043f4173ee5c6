import { QueryClient } from '@tanstack/react-query';
import { Activity, createElement, StrictMode, useEffect, type ReactNode } from 'react';
import { flushSync } from 'react-dom';
import { createRoot, hydrateRoot, type Root } from 'react-dom/client';
import { Counted, Lobby, Orders, Prices, Queries } from '../components.js';

const client = new QueryClient();
const parts: Readonly<Record<string, (url: string, id: string) => ReactNode>> = {
  orders: (url, id) => createElement(Orders, { url, id }),
  counted: (url, id) => createElement(Counted, { url, id }),
  prices: (url, id) => createElement(Prices, { url, id }),
  lobby: (url, id) => createElement(Lobby, { url, id }),
  queries: (url, id) => createElement(Queries, { client, url, id }),
};

let root: Root | undefined;
/** What React complained about. */
const complaints: string[] = [];
console.error = (...texts: unknown[]) => void complaints.push(texts.join(' '));

/** An element with this id shows this part. */
export interface Shown {
  readonly id: string;
  readonly part: string;
  readonly url: string;
  readonly isHidden?: boolean;
}

function elements(shown: readonly Shown[], onShown?: () => void): ReactNode {
  const children = shown.map(({ id, part, url, isHidden }) =>
    createElement(Activity, {
      key: id,
      mode: isHidden === true ? 'hidden' : 'visible',
      children: parts[part]!(url, id),
    }),
  );
  return createElement(StrictMode, null, children, createElement(AtTheEnd, { onShown }));
}

/** Its effect runs after those of all components before it. */
function AtTheEnd({ onShown }: { onShown: (() => void) | undefined }): null {
  useEffect(() => onShown?.(), [onShown]);
  return null;
}

export const ui = {
  complaints,
  /** Resolves when their effects have run. */
  show(...shown: Shown[]): Promise<void> {
    root ??= createRoot(document.querySelector('#app')!);
    return new Promise((resolve) => root!.render(elements(shown, resolve)));
  },
  /** Nothing, and then these, as a change of the route does. */
  showAgain(...shown: Shown[]): void {
    flushSync(() => root!.render(elements([])));
    flushSync(() => root!.render(elements(shown)));
  },
  /** Of what the server has rendered. */
  hydrate(url: string): void {
    root = hydrateRoot(document.querySelector('#app')!, parts['orders']!(url, 'a'), {
      onRecoverableError: (error) => void complaints.push(String(error)),
    });
  },
};
Object.assign(globalThis, { ui });
