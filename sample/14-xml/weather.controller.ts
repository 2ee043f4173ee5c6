import { Controller } from '@nestjs/common';
import { SseStream, type SseMessage } from 'nestjs-eventstream';
import { map, timer, type Observable } from 'rxjs';
import { toXml } from './to-xml.js';

const TOWNS = ['Hay & Wye', 'Oslo', 'Porto', 'Riga', 'Turin', 'Zug'] as const;

@Controller()
export class WeatherController {
  /** A town each second, and the first of them at once. */
  @SseStream('weather', { serialize: toXml })
  weather(): Observable<SseMessage> {
    return timer(0, 1_000).pipe(map((n) => ({ type: 'weather', data: weatherOf(n) })));
  }
}

function weatherOf(n: number) {
  return {
    town: TOWNS[n % TOWNS.length],
    celsius: 8 + ((n * 7) % 17),
    wind: `${2 + ((n * 5) % 9)} m/s`,
    time: new Date().toISOString(),
  };
}
