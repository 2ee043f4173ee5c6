import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { answerTo } from './known-answers.js';
import { Model } from './model.js';

/** Slow enough that a reload or a second tab comes in the middle of an answer. */
const TOKEN_MS = { least: 40, most: 130 };

/** Needs no key and no network. It has an answer to each question that its pages suggest. */
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
