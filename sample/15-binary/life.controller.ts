import { Controller } from '@nestjs/common';
import { SseStream } from 'nestjs-eventstream';
import { map, scan, timer, type Observable } from 'rxjs';
import { nextGeneration, scatter } from './life.js';
import { toPng } from './png.js';

@Controller()
export class LifeController {
  /** A picture of each generation. Bytes go over the wire as base64. */
  @SseStream('life')
  life(): Observable<Buffer> {
    return timer(0, 150).pipe(
      scan((cells, n) => (n === 0 ? cells : nextGeneration(cells)), scatter(96, 64)),
      map(toPng),
    );
  }
}
