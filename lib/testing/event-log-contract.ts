import { conditionCases } from './contract-conditions.js';
import { entryCases } from './contract-entries.js';
import { entryEndCases } from './contract-entry-ends.js';
import { eventCases } from './contract-events.js';
import { readCases } from './contract-reads.js';
import { withLogOf, type ContractCase, type OpenLog } from './contract-support.js';

/**
 * Test cases for any test runner, which check that a log fulfils the contract of `EventLog`.
 * @example
 * ```ts
 * it.each(eventLogContract((history, state) => new MyLog(history, state)))('%s', (_title, run) =>
 *   run(),
 * );
 * ```
 * @publicApi
 */
export function eventLogContract(open: OpenLog): ContractCase[] {
  const withLog = withLogOf(open);
  return [
    ...eventCases(withLog),
    ...readCases(withLog),
    ...entryCases(withLog),
    ...conditionCases(withLog),
    ...entryEndCases(withLog),
  ];
}
