import { mkdtempSync } from 'node:fs';
import { appendFile, rename, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { concatMap, interval, type Subscription } from 'rxjs';

const INTERVAL_MS = 800;
const PATHS = ['/orders', '/orders/1042', '/login', '/health', '/items?page=2'];
const LEVELS = ['INFO', 'INFO', 'INFO', 'INFO', 'WARN', 'ERROR'];

/** Some other program that writes a log: into a folder of its own, which goes with it. */
@Injectable()
export class LogWriter implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly path = join(mkdtempSync(join(tmpdir(), 'sample-logs-')), 'app.log');
  private writing: Subscription | undefined;

  async onApplicationBootstrap(): Promise<void> {
    await this.append('INFO Started');
    this.writing = interval(INTERVAL_MS)
      .pipe(concatMap(() => this.append(`${oneOf(LEVELS)} GET ${oneOf(PATHS)}`)))
      .subscribe();
  }

  append(text: string): Promise<void> {
    // One line, whatever somebody posts.
    return appendFile(this.path, `${new Date().toISOString()} ${text.replaceAll(/\s+/g, ' ')}\n`);
  }

  /** As logrotate does: the file gets another name, and a new one takes its place. */
  async rotate(): Promise<void> {
    await rename(this.path, `${this.path}.1`);
    await appendFile(this.path, '');
  }

  truncate(): Promise<void> {
    return truncate(this.path);
  }

  async onApplicationShutdown(): Promise<void> {
    this.writing?.unsubscribe();
    await rm(dirname(this.path), { recursive: true, force: true });
  }
}

function oneOf(list: readonly string[]): string {
  return list[Math.floor(Math.random() * list.length)] ?? '';
}
