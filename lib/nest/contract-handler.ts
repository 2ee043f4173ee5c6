import type { Observable } from 'rxjs';
import type { AnyContract, MessageOf } from '../schema/contract-types.js';

/** What a handler's result emits; the result itself if it is no stream. */
type EmittedBy<Result> =
  Result extends Observable<infer Value>
    ? Value
    : Result extends AsyncIterable<infer Value>
      ? Value
      : { readonly 'not a stream': Result };

/** What is not a message of the contract. */
type Wrong<Value, Contract extends AnyContract> = Value extends MessageOf<Contract> ? never : Value;

/**
 * `unknown` if a handler emits only events of its contract. Otherwise a type that no method has, so
 * that the compiler prints what is wrong.
 */
export type WrongEvents<Result, Contract extends AnyContract> = [
  Wrong<EmittedBy<Awaited<Result>>, Contract>,
] extends [never]
  ? unknown
  : {
      readonly 'not in the contract': Reason<Wrong<EmittedBy<Awaited<Result>>, Contract>, Contract>;
    };

type Reason<Value, Contract extends AnyContract> = Value extends {
  readonly 'not a stream': unknown;
}
  ? 'the handler must return an Observable or an AsyncIterable of { type, data }'
  : Value extends { readonly type: infer Type extends string }
    ? string extends Type
      ? 'the events have no types: inject Broadcaster<EventsOf<typeof contract>>, or emit { type, data } as const'
      : Type extends keyof Contract['events']
        ? `the data of "${Type}" is not what the contract says`
        : `the contract has no event "${Type}"`
    : 'the handler must emit messages: { type, data }';
