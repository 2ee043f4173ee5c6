import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { Broadcaster, SseStream, type SseMessage } from 'nestjs-eventstream';
import type { JobEvents, NewJob } from './events.js';
import { JobsService, roomOf } from './jobs.service.js';
import { NewJobPipe } from './new-job.pipe.js';

@Controller('jobs')
export class JobsController {
  constructor(
    private readonly broadcaster: Broadcaster<JobEvents>,
    private readonly jobs: JobsService,
  ) {}

  @Post()
  start(@Body(NewJobPipe) { prompt }: NewJob) {
    const { id } = this.jobs.start(prompt);
    return { id };
  }

  /**
   * A new client gets the answer so far, a returning client what it missed; then the tokens as they
   * come, up to the end.
   */
  @SseStream(':id/events', { onComplete: 'close' })
  events(@Param('id') id: string) {
    const job = this.jobs.find(id);
    return this.broadcaster.stream(roomOf(id), {
      until: ['end'],
      snapshot: async (): Promise<SseMessage[]> => {
        const { prompt, text, end } = job;
        const answer = { type: 'answer', data: { prompt, text } };
        return end === undefined ? [answer] : [answer, { type: 'end', data: end }];
      },
    });
  }

  @Post(':id/stop')
  @HttpCode(204)
  stop(@Param('id') id: string): void {
    this.jobs.stop(id);
  }
}
