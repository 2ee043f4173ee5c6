import { Controller } from '@nestjs/common';
import { SseStream } from 'nestjs-eventstream';
import { map, timer, type Observable } from 'rxjs';

@Controller()
export class TimeController {
  /** Plain text, at once and then every second. */
  @SseStream('time')
  time(): Observable<string> {
    return timer(0, 1_000).pipe(map(() => new Date().toISOString()));
  }
}
