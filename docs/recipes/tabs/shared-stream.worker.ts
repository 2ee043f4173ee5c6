import { readForAll } from './shared-stream.js';

await readForAll().closed;
// It would be joined by the pages to come, and has nothing to tell them.
close();
