/**
 * Contracts: the path, the parameters and the events of a stream, for server, client and document.
 * Runs in browsers, and loads no package.
 * @module nestjs-eventstream/contract
 */

export { sseContract } from '../schema/contract.js';
export type { ContractDefinition, SseContract } from '../schema/contract.js';
export type { AnyContract, ContractEvent, ContractEvents } from '../schema/contract-types.js';
export type { InvalidEvent } from '../schema/received-events.js';
// the types of both ends
export type {
  EventsOf,
  MessageOf,
  ParamsOf,
  QueryOf,
  ReceivedEventsOf,
  ValidatedEventsOf,
} from '../schema/contract-types.js';
