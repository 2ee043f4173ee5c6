import { readForAll } from './shared-stream.js';

await readForAll().closed;
// A new page would join this worker and get nothing.
close();
