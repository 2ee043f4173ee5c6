import { Controller } from '@nestjs/common';
import { SseStream } from 'nestjs-eventstream';
import { take, timer, type Observable } from 'rxjs';

@Controller()
export class CounterController {
  /**
   * From 0 to 10. A browser opens a stream again that has ended; `onComplete: 'close'` tells it
   * that this was all.
   */
  @SseStream('counter', { onComplete: 'close' })
  count(): Observable<number> {
    return timer(0, 400).pipe(take(11));
  }
}
