import type { ConnectOptions, ContractConnectOptions } from '../client/connect.options.js';
import type { AnyContract } from '../schema/contract-types.js';

/** Options of one request, which cannot be shared. */
interface NotShared {
  /** Shared streams are GET requests. */
  method?: undefined;
  /** Shared streams are GET requests. */
  body?: undefined;
  /** A shared stream closes with its last reader. */
  signal?: undefined;
}

/**
 * The options of a shared stream: those of `connect()` without `method`, `body` and `signal`.
 * @publicApi
 */
export type SharedOptions = Omit<ConnectOptions, keyof NotShared> & NotShared;

/**
 * The options of a shared stream of a contract: those of `connect(contract)` without `method`,
 * `body` and `signal`.
 * @typeParam Contract the contract
 * @publicApi
 */
export type ContractSharedOptions<Contract extends AnyContract> = ContractConnectOptions<Contract> &
  NotShared;
