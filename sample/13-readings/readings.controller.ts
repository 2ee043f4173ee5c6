import { Controller, HttpCode, Post } from '@nestjs/common';
import { SseStream, type SseMessage } from 'nestjs-eventstream';
import { map, merge, mergeMap, Subject, throwError, timer, type Observable } from 'rxjs';

@Controller('readings')
export class ReadingsController {
  private readonly failures = new Subject<Error>();

  @SseStream('', {
    // A comment after each second without a reading.
    keepAlive: { intervalMs: 1_000 },
    // Browsers come back after this time.
    retry: 3_000,
    headers: { 'X-Sensor': 'greenhouse' },
    // The last message, before the stream ends.
    onError: (error) => ({ type: 'failed', data: { reason: (error as Error).message } }),
  })
  readings(): Observable<SseMessage> {
    const failure = this.failures.pipe(mergeMap((error) => throwError(() => error)));
    return merge(
      timer(0, 2_500).pipe(map((n) => reading('temperature', 21 + 6 * Math.sin(n / 3), '°C'))),
      timer(0, 4_000).pipe(map((n) => reading('humidity', 55 + 20 * Math.cos(n / 4), '%'))),
      failure,
    );
  }

  /** As if somebody had cut the cable. */
  @Post('break')
  @HttpCode(204)
  break(): void {
    this.failures.next(new Error('The sensor does not answer'));
  }
}

function reading(type: string, value: number, unit: string): SseMessage {
  return { type, data: { value: Number(value.toFixed(1)), unit } };
}
