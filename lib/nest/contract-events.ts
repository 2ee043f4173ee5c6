import { SseOptionsError } from '../ground/errors.js';
import { warnOfUnknownEvent } from '../ground/warnings.js';
import type { HubEvent } from '../log/event.js';
import { routeOf, type HttpRequest } from '../output/request.js';
import type { AnyContract } from '../schema/contract-types.js';
import { isStateChange } from '../wire/protocol.js';

/** All readers get an event in a row, so it is looked up once. */
let accepted: { readonly event: HubEvent; readonly contract: AnyContract } | undefined;

/**
 * Whether an event of a hub is in the contract of a route. The hub has checked it, once for all
 * readers. An event of another type is left out with a warning: it may have been kept since an
 * older version of the contract.
 * @throws SseOptionsError if the hub does not have the contract
 */
export function isInContract(
  event: HubEvent,
  contract: AnyContract,
  request: HttpRequest,
): boolean {
  if (accepted?.event === event && accepted.contract === contract) return true;
  const { type = 'message' } = event;
  // An entry of a state room is no event of the app.
  if (isStateChange(type)) return true;
  const schema = contract.schemas.get(type);
  if (schema === undefined) {
    warnOfUnknownEvent(type, routeOf(request));
    return false;
  }
  if (event.schemas?.get(type) === schema) {
    accepted = { event, contract };
    return true;
  }
  const problem =
    `the hub does not check events "${type}" by the contract "${contract.path}"; pass the contract as ` +
    '`contract`' +
    ` to SseModule.forRoot() or forFeature()`;
  throw new SseOptionsError('contract', 'the contract of the route', event.schemas, problem);
}
