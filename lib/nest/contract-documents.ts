import type { StreamRoute } from './stream-routes.js';

type Document = (route: StreamRoute) => void;

let documentRoute: Document | undefined;
/** Routes of contracts that nothing has described yet, by handler: an app may be created often. */
const waiting = new Map<object, StreamRoute>();

/**
 * Describes the routes of contracts, those that are known and those to come.
 * `nestjs-eventstream/swagger` calls it when it is loaded, so that an app without it pays nothing.
 */
export function describeContractsWith(document: Document): void {
  documentRoute = document;
  const routes = [...waiting.values()];
  waiting.clear();
  routes.forEach(document);
}

/** Called when an app is created: before it can make a document. */
export function describeContracts(routes: readonly StreamRoute[]): void {
  for (const route of routes) {
    if (route.contract === undefined) continue;
    if (documentRoute === undefined) waiting.set(route.handler, route);
    else documentRoute(route);
  }
}
