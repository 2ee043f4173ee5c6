import { describe, it } from '@jest/globals';
import { eventLogContract, type OpenLog } from 'nestjs-eventstream/testing';
import { MemoryEventLog } from '../../lib/event-log-memory.js';

const LOGS: [string, OpenLog][] = [['memory', (history) => new MemoryEventLog(history)]];

describe.each(LOGS)('the log in %s', (_name, open) => {
  it.each(eventLogContract(open))('%s', (_title, run) => run());
});
