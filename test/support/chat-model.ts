import { MockLanguageModelV4 } from 'ai/test';
import { until } from './until.js';

type StreamPart =
  Awaited<ReturnType<MockLanguageModelV4['doStream']>>['stream'] extends ReadableStream<infer Part>
    ? Part
    : never;

/** The AI SDK's own local model: it says what a test lets it say. One answer at a time. */
export class ChatModel {
  /** How many answers were begun, and how many of them were stopped. */
  asked = 0;
  aborted = 0;
  private parts: ReadableStreamDefaultController<StreamPart> | undefined;

  readonly model = new MockLanguageModelV4({
    doStream: ({ abortSignal }) => {
      this.asked++;
      const stream = new ReadableStream<StreamPart>({
        start: (parts) => {
          this.parts = parts;
          parts.enqueue({ type: 'stream-start', warnings: [] });
          parts.enqueue({ type: 'text-start', id: '1' });
          abortSignal?.addEventListener('abort', () => {
            if (this.parts !== parts) return;
            this.aborted++;
            parts.error(abortSignal.reason);
          });
        },
      });
      return Promise.resolve({ stream });
    },
  });

  say(...texts: string[]): void {
    for (const delta of texts) this.parts?.enqueue({ type: 'text-delta', id: '1', delta });
  }

  finish(): void {
    const none = { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 };
    this.parts?.enqueue({ type: 'text-end', id: '1' });
    this.parts?.enqueue({
      type: 'finish',
      finishReason: { unified: 'stop', raw: 'stop' },
      usage: { inputTokens: none, outputTokens: { total: 1, text: 1, reasoning: 0 } },
    });
    this.close();
  }

  /** As providers tell of an error. */
  fail(error: Error): void {
    this.parts?.enqueue({ type: 'error', error });
    this.close();
  }

  /** As a connection to a provider breaks. */
  break(error: Error): void {
    this.parts?.error(error);
    this.parts = undefined;
  }

  private close(): void {
    this.parts?.close();
    this.parts = undefined;
  }

  /** Resolves when it was asked so often. */
  async untilAsked(times = 1): Promise<void> {
    await until('the model was asked', () => this.asked === times);
  }
}
