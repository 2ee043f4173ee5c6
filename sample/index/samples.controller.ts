import { Controller } from '@nestjs/common';
import { poll, SseStream } from 'nestjs-eventstream';
import { distinctUntilChanged, map } from 'rxjs';
import { SamplesService } from './samples.service.js';

@Controller()
export class SamplesController {
  constructor(private readonly samples: SamplesService) {}

  /** The list, whenever it is another one than before. */
  @SseStream('samples')
  list() {
    return poll(250, () => JSON.stringify(this.samples.list())).pipe(
      distinctUntilChanged(),
      map((data) => ({ type: 'samples', data })),
    );
  }
}
