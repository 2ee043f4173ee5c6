import { EventEmitter, on } from 'node:events';
import { Model } from '../../sample/04-llm-tokens/model.js';

/** Says what a test lets it say. */
export class SteeredModel extends Model {
  /** How many jobs were stopped. */
  aborted = 0;
  private readonly steps = new EventEmitter();

  say(...tokens: string[]): void {
    for (const token of tokens) this.steps.emit('step', token);
  }

  finish(): void {
    this.steps.emit('step', undefined);
  }

  fail(error: Error): void {
    this.steps.emit('error', error);
  }

  async *complete(_prompt: string, { signal }: { signal: AbortSignal }): AsyncIterable<string> {
    signal.addEventListener('abort', () => this.aborted++);
    for await (const [token] of on(this.steps, 'step', { signal })) {
      if (token === undefined) return;
      yield token as string;
    }
  }
}
