/**
 * What the APIs of models have in common: a prompt in, pieces of text out, until there are no more
 * or the signal aborts.
 */
export abstract class Model {
  abstract complete(prompt: string, options: { signal: AbortSignal }): AsyncIterable<string>;
}
