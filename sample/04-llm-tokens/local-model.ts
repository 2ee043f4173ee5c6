import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Model } from './model.js';

const TOKEN_MS = { least: 25, most: 90 };

/** Needs no key and no network, and knows one answer. */
@Injectable()
export class LocalModel extends Model {
  async *complete(prompt: string, { signal }: { signal: AbortSignal }): AsyncIterable<string> {
    for (const token of answerTo(prompt).match(/\s*\S{1,6}/g) ?? []) {
      const ms = TOKEN_MS.least + Math.random() * (TOKEN_MS.most - TOKEN_MS.least);
      await delay(ms, undefined, { signal });
      yield token;
    }
  }
}

function answerTo(prompt: string): string {
  return `You asked: “${prompt}”

I am a small model and have one answer to everything, but I give it token by token.

Each token is an event in a room of its own job. The job runs in the server and not in the response, so it does not mind who reads. Reload this page: the browser says how far it has read, and the stream goes on with the very next token. Open it in a second tab: there the answer so far comes first, then both grow alike. Pull the plug for a while: what you missed is replayed, in order, each token once.

Stop ends the job itself, for everybody. And when the last token has been read, the server says that there is no more, and the browser does not ask again.`;
}
