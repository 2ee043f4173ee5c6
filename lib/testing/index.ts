export { eventLogContract } from './event-log-contract.js';
export type { ContractCase, OpenLog } from './event-log-contract.js';
