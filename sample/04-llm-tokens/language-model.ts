import { ReadableStream } from 'node:stream/web';
import type { LanguageModel } from 'ai';
import type { Model } from './model.js';

type SdkModel = Extract<LanguageModel, { specificationVersion: 'v4' }>;
type Prompt = Parameters<SdkModel['doStream']>[0]['prompt'];
type Parts = Awaited<ReturnType<SdkModel['doStream']>>['stream'];
type Part = Parts extends globalThis.ReadableStream<infer One> ? One : never;

/**
 * The model of this sample as the AI SDK has models. Put one of a provider here, such as
 * `openai('gpt-5')`, and the rest stays.
 */
export function languageModel(model: Model): SdkModel {
  return {
    specificationVersion: 'v4',
    provider: 'sample',
    modelId: 'local',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new TypeError('the local model only streams')),
    doStream({ prompt, abortSignal: signal = new AbortController().signal }) {
      const tokens = model.complete(lastQuestion(prompt), { signal });
      return Promise.resolve({ stream: ReadableStream.from(partsOf(tokens)) as Parts });
    },
  };
}

async function* partsOf(tokens: AsyncIterable<string>): AsyncIterable<Part> {
  const id = 'answer';
  yield { type: 'stream-start', warnings: [] };
  yield { type: 'text-start', id };
  for await (const delta of tokens) yield { type: 'text-delta', id, delta };
  yield { type: 'text-end', id };
  yield {
    type: 'finish',
    finishReason: { unified: 'stop', raw: undefined },
    usage: {
      inputTokens: {
        total: undefined,
        noCache: undefined,
        cacheRead: undefined,
        cacheWrite: undefined,
      },
      outputTokens: { total: undefined, text: undefined, reasoning: undefined },
    },
  };
}

function lastQuestion(prompt: Prompt): string {
  const questions = prompt.flatMap((message) => (message.role === 'user' ? [message.content] : []));
  return (questions.at(-1) ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
}
