/**
 * Test kit: real streams, handlers without HTTP, a mock server, and the contract of a log.
 * @module nestjs-eventstream/testing
 */

// streams of a real app
export { openStream } from './open-stream.js';
export type { OpenStreamOptions } from './open-stream.js';
export type { TestEvent, TestStream } from './test-stream.js';

// handlers without HTTP
export { collect } from './collect.js';
export type { StreamResult } from './collect.js';
export { fakeConnection } from './fake-connection.js';
export type { FakeConnection, FakeConnectionOptions } from './fake-connection.js';

// clients
export { mockSseServer } from './mock-sse-server.js';
export type { MockSseServer, ReceivedRequest, ScriptedMessage } from './mock-sse-server.js';

// logs
export { eventLogContract } from './event-log-contract.js';
export type { ContractCase, OpenLog } from './contract-support.js';
