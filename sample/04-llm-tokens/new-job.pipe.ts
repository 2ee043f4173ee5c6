import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import type { NewJob } from './events.js';

const MAX_PROMPT_LENGTH = 500;

/** The body of a request as a job, and nothing else that may be in it. */
@Injectable()
export class NewJobPipe implements PipeTransform<unknown, NewJob> {
  transform(body: unknown): NewJob {
    const { prompt } = Object(body) as Record<string, unknown>;
    if (typeof prompt !== 'string' || prompt === '' || prompt.length > MAX_PROMPT_LENGTH) {
      throw new BadRequestException(
        `prompt: expected a text of 1 to ${MAX_PROMPT_LENGTH} characters`,
      );
    }
    return { prompt };
  }
}
