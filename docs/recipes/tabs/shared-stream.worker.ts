import { readForAll } from './shared-stream.js';

await readForAll().closed;
// Otherwise a new page would join this worker and get nothing.
close();
