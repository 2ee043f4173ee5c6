import { randomUUID } from 'node:crypto';
import { Body, Controller, Get, NotFoundException, Param, Post } from '@nestjs/common';
import { SseStream, type SseMessage } from 'nestjs-eventstream';
import { SseRuns } from 'nestjs-eventstream/runs';
import { TextPipe } from '../shared/text.pipe.js';
import { Model } from './model.js';

/** Each answer is a run: it goes on while nobody reads it, and each reader gets all of it. */
@Controller('answers')
export class AnswersController {
  constructor(
    private readonly runs: SseRuns,
    private readonly model: Model,
  ) {}

  @Post()
  async start(@Body('prompt', new TextPipe('prompt', 500)) prompt: string) {
    const { id } = await this.runs.start(randomUUID(), (signal) => this.answer(prompt, signal));
    return { id };
  }

  @SseStream(':id/events', { onComplete: 'close' })
  follow(@Param('id') id: string) {
    return this.runs.follow(id);
  }

  @Post(':id/stop')
  stop(@Param('id') id: string) {
    return this.runs.stop(id);
  }

  @Get(':id')
  async status(@Param('id') id: string) {
    const status = await this.runs.status(id);
    if (status === undefined) throw new NotFoundException(`There is no answer ${id}`);
    return status;
  }

  private async *answer(prompt: string, signal: AbortSignal): AsyncIterable<SseMessage> {
    yield { type: 'question', data: { prompt } };
    let at = 0;
    for await (const text of this.model.complete(prompt, { signal })) {
      yield { type: 'token', data: { at, text } };
      at += text.length;
    }
  }
}
