import cluster from 'node:cluster';
import { isDeepStrictEqual, types } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import type { EventLogFactory } from '../log/event-log-factory.js';
import { SseOptionsError } from '../ground/errors.js';
import { Hub } from './hub.js';
import { publishingOf } from './new-event.js';
import type { HubOptions, HubsOptions } from './hub.options.js';
import { MemoryEventLog } from '../log/event-log-memory.js';
import { HISTORY_DEFAULTS } from '../log/history.options.js';
import { STATE_DEFAULTS } from '../log/state.options.js';
import type { AnyContract } from '../schema/contract-types.js';
import { SSE_OPTIONS } from '../options/token.js';
import { defined } from '../options/defined.js';
import { warnOfSeveralProcesses } from '../ground/warnings.js';

type ToPlain = (data: unknown) => unknown;

/** A hub and the options that it was opened with. */
interface Entry {
  readonly options: HubOptions;
  readonly hub: Promise<Hub>;
}

/** All hubs of this process. A name is the same hub wherever it is injected. */
@Injectable()
export class Hubs {
  private readonly byName = new Map<string, Entry>();
  /** Hubs that have started. */
  readonly running = new Set<Hub>();
  /** The class of an instance that was published before the app was initialized. */
  private early: string | undefined;
  private toPlain: ToPlain | undefined = (data) => {
    this.early ??= classIn(data);
    return data;
  };

  constructor(@Inject(SSE_OPTIONS) private readonly module: HubsOptions) {}

  /** @throws SseOptionsError if the hub was opened with other options elsewhere */
  open(name: string, own: HubOptions): Promise<Hub> {
    const { history, state, serialize } = this.module;
    const options = { history, state, serialize, ...defined(own) };
    let entry = this.byName.get(name);
    if (entry === undefined) {
      entry = { options, hub: this.run(started(name, options, this.module)) };
      this.byName.set(name, entry);
    } else if (!isDeepStrictEqual(entry.options, options)) {
      const expected = 'the same options in every forFeature() with this name';
      throw new SseOptionsError(`forFeature "${name}"`, expected, options);
    }
    return entry.hub;
  }

  private async run(starting: Promise<Hub>): Promise<Hub> {
    const hub = await starting;
    this.running.add(hub);
    hub.toPlain = this.toPlain;
    return hub;
  }

  /**
   * Sets the conversion to plain objects that runs before publishing, so that instances of classes
   * reach neither a log nor a subscription.
   * @throws SseOptionsError if an instance was published earlier, when the conversion was not known
   */
  makePlain(toPlain: ToPlain | undefined): void {
    this.toPlain = toPlain;
    for (const hub of this.running) hub.toPlain = toPlain;
    if (toPlain === undefined || this.early === undefined) return;
    const problem = `an instance of ${this.early} was published before onModuleInit(), when ClassSerializerInterceptor is not known yet; publish later, or publish plain objects`;
    throw new SseOptionsError('emit()', 'a plain object', this.early, problem);
  }

  /** The contracts of all hubs. */
  contracts(): AnyContract[] {
    return [...this.byName.values()].flatMap(({ options }) => [options.contract ?? []].flat());
  }

  /** Why events do not reach this process: the problem of the first hub that has one. */
  async trouble(): Promise<string | undefined> {
    for (const [name, { hub }] of this.byName) {
      const { trouble } = (await hub).log;
      if (trouble !== undefined) return name === '' ? trouble : `${name}: ${trouble}`;
    }
    return undefined;
  }

  /** Ends all streams of all hubs. Afterwards nothing can be published. */
  async close(): Promise<void> {
    const entries = [...this.byName.values()];
    await Promise.allSettled(entries.map(async ({ hub }) => (await hub).close()));
  }
}

/** The class name of the first instance of an app's class in published data, if there is one. */
function classIn(data: unknown): string | undefined {
  const todo = [data];
  const seen = new Set<unknown>();
  while (todo.length > 0) {
    const next = todo.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    const found = classOf(next);
    if (found !== undefined) return found;
    // Reads descriptors instead of values: a getter may throw, and only the encoder should call it.
    if (ArrayBuffer.isView(next)) continue;
    todo.push(
      ...Object.values(Object.getOwnPropertyDescriptors(next)).map(({ value }) => value as unknown),
    );
  }
  return undefined;
}

/** `undefined` for anything that JSON can produce, from any realm, and for built-in classes. */
function classOf(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = !isObject(prototype) || Object.getPrototypeOf(prototype) === null;
  if (isPlain || Array.isArray(value) || types.isDate(value)) return undefined;
  const { value: made } = Object.getOwnPropertyDescriptor(prototype, 'constructor') ?? {};
  if (typeof made !== 'function') return undefined;
  const { name } = made;
  return (globalThis as Record<string, unknown>)[name] === made ? undefined : name;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

const inMemory: EventLogFactory = ({ history, state }) => {
  warnOfSeveralProcesses(process.env, cluster.isWorker);
  return new MemoryEventLog(history, { state });
};

async function started(
  name: string,
  options: HubOptions,
  { log = inMemory, limits = {}, identify }: HubsOptions,
): Promise<Hub> {
  const history = { ...HISTORY_DEFAULTS, ...defined(options.history || {}) };
  const state = { ...STATE_DEFAULTS, ...defined(options.state ?? {}) };
  const { serialize } = options;
  const publishing = publishingOf(options, limits, identify !== undefined);
  const made = log({ name, history, state, serialize, publishing });
  const hub = new Hub(made, options, name, limits, identify !== undefined);
  await hub.start();
  return hub;
}
