import { Controller, Param, ParseUUIDPipe, Post } from '@nestjs/common';
import { SseStream } from 'nestjs-eventstream';
import { map } from 'rxjs';
import { JobsService } from './jobs.service.js';

@Controller('jobs')
export class JobsController {
  constructor(private readonly jobs: JobsService) {}

  @Post()
  start(): { id: string } {
    return { id: this.jobs.start() };
  }

  /** Ends with the job; `onComplete: 'close'` tells the browser not to ask again. */
  @SseStream(':id', { onComplete: 'close' })
  progress(@Param('id', ParseUUIDPipe) id: string) {
    return this.jobs.progress(id).pipe(map((data) => ({ type: 'progress', data })));
  }
}
