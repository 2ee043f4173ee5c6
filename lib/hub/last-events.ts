import { SseOptionsError } from '../ground/errors.js';
import type { EventMap, PublishedEvent } from '../log/event.js';
import type { SseMessage } from '../wire/frame.js';
import { isStateChange } from '../wire/protocol.js';
import type { HubStreamOptions, LastEvent } from './hub.options.js';

/** The events that end a stream: those of some types, or those that a function of the app finds. */
export class LastEvents {
  /** Empty for a function. */
  readonly types: ReadonlySet<string>;

  constructor(private readonly until: NonNullable<HubStreamOptions<EventMap>['until']>) {
    this.types = new Set<string>(typeof until === 'function' ? [] : until);
  }

  get needApp(): boolean {
    return typeof this.until === 'function';
  }

  /** Whether `has()` has to be asked. Runs no code of the app. */
  mayHave({ type = '' }: { readonly type?: string | undefined }): boolean {
    return this.needApp || this.types.has(type);
  }

  /** May throw what the app throws. */
  has(message: SseMessage | PublishedEvent): boolean {
    const { until } = this;
    if (typeof until !== 'function') return this.mayHave(message);
    // An entry may end after the last event, and would let nobody see that the room is over.
    if (isStateChange(message.type)) return false;
    const answer: unknown = until(message as LastEvent<EventMap>);
    if (typeof answer === 'boolean') return answer;
    throw new SseOptionsError('stream().until', 'its function to return true or false', answer);
  }
}
