import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Broadcaster, poll } from 'nestjs-eventstream';
import { concatMap, retry, timer, type Observable, type Subscription } from 'rxjs';
import { LogWriter } from './log-writer.js';
import { Tail } from './tail.js';

/** How often the file is looked at: a file does not say by itself that it has grown. */
const INTERVAL_MS = 40;
const RETRY_MS = 1_000;

export const ROOM = 'log';

export interface LogEvents {
  line: string;
}

/** Reads the file once, however many read the stream. */
@Injectable()
export class LogsService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(LogsService.name);
  private readonly tail: Tail;
  private reading: Subscription | undefined;

  constructor(
    private readonly broadcaster: Broadcaster<LogEvents>,
    writer: LogWriter,
  ) {
    this.tail = new Tail(writer.path);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.tail.start();
    this.reading = poll(INTERVAL_MS, () => this.tail.read())
      .pipe(
        concatMap((lines) => this.send(lines)),
        retry({ delay: (error) => this.afterPause(error) }),
      )
      .subscribe();
  }

  async onModuleDestroy(): Promise<void> {
    this.reading?.unsubscribe();
    await this.tail.close();
  }

  private afterPause(error: unknown): Observable<number> {
    this.logger.warn(error);
    return timer(RETRY_MS);
  }

  private async send(lines: string[]): Promise<void> {
    await Promise.all(lines.map((line) => this.broadcaster.to(ROOM).emit('line', line)));
  }
}
