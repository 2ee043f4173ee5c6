import { afterLimit } from '../ground/time-limit.js';
import { isAddress, type PeerChannel } from '../hub/peer-channel.js';
import { lookFrom, type Look } from './look.js';
import type { PeerAnswers } from './peer-answers.js';
import { fitted, type ProcessReport } from './process-report.js';

/** What a page can do to the streams of one process. */
export type Action =
  | { readonly close: 'connection'; readonly id: string }
  | { readonly close: 'room'; readonly room: string; readonly hub?: string | undefined };

/** What a page asks all processes. */
export interface Question {
  readonly look: Look;
  /** Whether they count their traffic from now on: the page asks again. */
  readonly counts: boolean;
  /** Whether they answer with the last two minutes too. */
  readonly samples: boolean;
}

/** What this process does for others. */
interface Host {
  report(question: Question): ProcessReport;
  /** Answers whether there was something to do. */
  act(action: Action): boolean;
}

/** Another version of this library may have other words. */
const VERSION = 1;

type Message =
  | { readonly ask: Question; readonly view: number }
  | { readonly answer: ProcessReport; readonly view: number }
  | { readonly act: Action; readonly call: number }
  | { readonly done: boolean; readonly call: number };

const CALL_TIMEOUT_MS = 2_000;
/** However many pages are open. */
const MAX_ANSWERS_PER_SECOND = 20;

/**
 * The other processes that share the log and have the inspector. A process asks all of them while a
 * page of it is open; nothing is sent otherwise.
 */
export class Peers {
  private readonly views = new Map<number, PeerAnswers>();
  private readonly calls = new Map<number, (done: boolean) => void>();
  private answered = { second: 0, times: 0 };
  readonly stop: () => void;

  constructor(
    private readonly channel: PeerChannel,
    private readonly host: Host,
  ) {
    this.stop = channel.listen((text) => this.heard(text));
  }

  /** Answers to this view go to `answers` until it is closed. */
  open(answers: PeerAnswers): number {
    const view = this.channel.nextNumber();
    this.views.set(view, answers);
    return view;
  }

  close(view: number): void {
    this.views.delete(view);
  }

  /** While the log is away nobody can answer: then it is no missed question. */
  async ask(view: number, question: Question): Promise<void> {
    const answers = this.views.get(view);
    try {
      answers?.asked(Date.now());
      await this.send({ ask: question, view });
    } catch {
      answers?.notSent();
    }
  }

  /** Answers whether that process had something to do; `undefined` where it does not answer. */
  async act(process: string, action: Action): Promise<boolean | undefined> {
    if (!isAddress(process)) return undefined;
    const call = this.channel.nextNumber();
    let cancel = (): void => {};
    try {
      return await new Promise((resolve, reject) => {
        cancel = afterLimit(CALL_TIMEOUT_MS, () => resolve(undefined));
        this.calls.set(call, resolve);
        this.send({ act: action, call }, process).catch(reject);
      });
    } finally {
      cancel();
      this.calls.delete(call);
    }
  }

  private send(message: Message, to?: string): Promise<void> {
    return this.channel.send(
      JSON.stringify({ v: VERSION, from: this.channel.address, ...message }),
      to,
    );
  }

  private heard(text: string): void {
    const message = parsed(text);
    if (message === undefined || message.from === this.channel.address) return;
    if ('answer' in message) this.views.get(message.view)?.heard(message.answer, Date.now());
    else if ('done' in message) this.calls.get(message.call)?.(message.done);
    else if ('act' in message) {
      this.reply({ done: this.host.act(message.act), call: message.call }, message.from);
    } else if ('ask' in message && this.mayAnswer()) {
      const { ask, view, from } = message;
      const report = this.host.report({ ...ask, look: lookFrom(ask.look) });
      this.reply({ answer: fitted(report), view }, from);
    }
  }

  /** Who asks sees that no answer comes. */
  private reply(message: Message, to: string): void {
    this.send(message, to).catch(() => {});
  }

  private mayAnswer(): boolean {
    const second = Math.floor(performance.now() / 1_000);
    if (this.answered.second !== second) this.answered = { second, times: 0 };
    return ++this.answered.times <= MAX_ANSWERS_PER_SECOND;
  }
}

/** Another program, or another version, may have sent it: then it is ignored. */
function parsed(text: string): (Message & { readonly from: string }) | undefined {
  try {
    const message = JSON.parse(text) as Message & { readonly v: number; readonly from: string };
    const { v, from, ask, answer, act } = message as typeof message & Record<string, unknown>;
    const isComplete = [ask, answer, act].every((part) => part === undefined || isObject(part));
    return v === VERSION && isAddress(from) && isComplete ? message : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
