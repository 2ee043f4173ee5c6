import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Model } from './model.js';

/** Slow enough that a reload or a second tab comes in the middle of an answer. */
const TOKEN_MS = { least: 40, most: 130 };

/** Needs no key and no network. It has an answer to each question that its page suggests. */
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

/** By the questions that the page suggests. */
export const ANSWERS: Readonly<Record<string, string>> = {
  'What happens if I reload?': `Reload now, in the middle of this sentence, and see.

Your question has started a job in the server. The job does not belong to your connection, so it goes on while nobody reads it. It publishes each token as an event in a room of its own, and each event has an ID.

Your page remembers the last ID that it has seen. After the reload it sends that ID, and the server sends what came after it: every token once, in order. Nothing is asked from the model a second time, so nothing is paid for a second time.`,

  'What does a second tab get?': `Open one now. It has no last event ID, so the server first sends the answer so far, in one piece. From there on both tabs get the same tokens at the same time.

This works for as many tabs and people as you like, because they all read the same room. The model still runs only once.

Press Stop in one of the tabs: the job itself ends, and both tabs see the end. Stop is an ordinary request to the server. Closing a tab stops nothing.`,

  'What are Server-Sent Events?': `They are a part of HTTP that every browser knows. The server answers a request and leaves the response open. Then it sends events as plain text, one after the other, until one of the two sides has had enough.

If the connection breaks, the browser opens it again by itself and sends the ID of the last event that it got. What the server does with that ID is up to the server. Many do nothing, and the events in between are lost.

Here the server keeps the recent events, so it can send what was missed. That is why you can switch off your network in the middle of this answer and lose not a word.`,
};

function answerTo(prompt: string): string {
  return (
    ANSWERS[prompt] ??
    `You asked: “${prompt}”

I am a small model that runs inside this sample. I know three answers by heart: press one of the questions below. To everything else I say what I am saying now, token by token.

So take the time to try something. Reload this page: the answer goes on at the next word. Open it in a second tab: there the answer so far comes first, then both grow alike. Press Stop: the job ends, in every tab. And when the last token is here, the server says that there are no more, and the browser does not ask again.`
  );
}
