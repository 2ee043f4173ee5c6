// Reads the inspector's event stream by fetch, which can send a token and sees why it is refused.

import { request } from './server.js';

const MAX_WAIT_MS = 10_000;
/** A state comes every second. */
const SILENCE_MS = 15_000;

/**
 * Reads until it is stopped or refused.
 * - `state`: `Connecting`, `Live`, `Reconnecting`, `Offline` or `Ended`
 * - `refused`: the response that says no
 */
export function follow(path, { event, state, refused, isSwitch = false }) {
  const stop = new AbortController();
  void run();
  return () => stop.abort();

  async function run() {
    if (!isSwitch) state('Connecting');
    for (let failures = 0; !stop.signal.aborted; failures++) {
      const attempt = new AbortController();
      const abort = () => attempt.abort();
      stop.signal.addEventListener('abort', abort);
      addEventListener('offline', abort);
      try {
        const response = await request(path, {
          headers: { Accept: 'text/event-stream' },
          signal: attempt.signal,
        });
        if (response.status !== 200 && response.status < 500) {
          state('Ended');
          refused(response);
          return;
        }
        if (response.status === 200) {
          state('Live');
          failures = 0;
          const ending = await read(response.body, event, attempt);
          if (ending === 'sse-end') {
            state('Ended');
            refused(undefined);
            return;
          }
        }
      } catch {
        // The connection was lost, or there is none.
      } finally {
        stop.signal.removeEventListener('abort', abort);
        removeEventListener('offline', abort);
      }
      if (stop.signal.aborted) return;
      await pause(failures);
    }
  }

  async function pause(failures) {
    if (!navigator.onLine) {
      state('Offline');
      await new Promise((resolve) => addEventListener('online', resolve, { once: true }));
    }
    state('Reconnecting');
    const ms = Math.min(MAX_WAIT_MS, 500 * 2 ** failures) * (0.5 + Math.random() / 2);
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

/** Answers the type of the event that ended it, if one did. */
async function read(body, event, attempt) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let heardAt = Date.now();
  const watch = setInterval(() => {
    if (Date.now() - heardAt > SILENCE_MS) attempt.abort();
  }, 5_000);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      heardAt = Date.now();
      // This server ends a line by LF and a block by an empty line.
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) {
        const { type, data } = fieldsOf(block);
        if (type === 'sse-end') return type;
        if (data !== undefined) event(type, data);
      }
    }
  } finally {
    clearInterval(watch);
  }
}

function fieldsOf(block) {
  let type = 'message';
  let data;
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) type = line.slice(7);
    else if (line.startsWith('data: '))
      data = (data === undefined ? '' : `${data}\n`) + line.slice(6);
  }
  return { type, data };
}
