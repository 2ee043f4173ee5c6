import { EventEmitter, once } from 'node:events';
import { Model } from '../../sample/04-llm-tokens/model.js';
import { until } from './until.js';

const END = Symbol('the end of an answer');

/** Says what a test lets it say. One answer at a time. */
export class SteeredModel extends Model {
  /** How many answers were begun, and how many of them were stopped. */
  asked = 0;
  aborted = 0;
  private steps: (string | Error | typeof END)[] = [];
  private isWaiting = false;
  private readonly changes = new EventEmitter();

  say(...tokens: string[]): void {
    this.add(...tokens);
  }

  finish(): void {
    this.add(END);
  }

  fail(error: Error): void {
    this.add(error);
  }

  /** Resolves when it was asked for more than it was let say. */
  async untilSaid(): Promise<void> {
    await until('the model has said it', () => this.isWaiting);
  }

  async *complete(_prompt: string, { signal }: { signal: AbortSignal }): AsyncIterable<string> {
    this.asked++;
    let isOver = false;
    try {
      for (;;) {
        this.isWaiting = this.steps.length === 0;
        if (this.isWaiting) await once(this.changes, 'change', { signal });
        const step = this.steps.shift();
        isOver = step === END || step instanceof Error;
        if (step instanceof Error) throw step;
        if (typeof step !== 'string') return;
        yield step;
      }
    } finally {
      if (!isOver) this.aborted++;
    }
  }

  private add(...steps: typeof this.steps): void {
    this.isWaiting = false;
    this.steps.push(...steps);
    this.changes.emit('change');
  }
}
