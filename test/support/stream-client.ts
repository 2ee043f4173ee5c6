import { TestStream } from '../../lib/testing/test-stream.js';
import type { StreamRequest } from '../../lib/testing/exchange.js';

export type { StreamRequest, TestStream };

/**
 * The test kit's client, in hand as soon as its request is sent. `openStream()` of the kit awaits
 * the response; these tests also look at what happens before. It waits for as long as the test may
 * take.
 */
export function streamClient(request: StreamRequest): TestStream {
  const settings = { request, lastEventId: undefined, timeoutMs: Infinity };
  // The kit makes its streams only in `TestStream.open()`, which hands them out with their
  // response.
  return Reflect.construct(TestStream, [settings]) as TestStream;
}

/** Resolves with the stream when it has a response, whatever its status. */
export async function responded(stream: TestStream): Promise<TestStream> {
  await stream.until(({ status }) => status !== 0);
  return stream;
}
