import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { TextPipe } from '../shared/text.pipe.js';
import { LogWriter } from './log-writer.js';
import { ROOM, type LogEvents } from './logs.service.js';

@Controller('logs')
export class LogsController {
  constructor(
    private readonly broadcaster: Broadcaster<LogEvents>,
    private readonly writer: LogWriter,
  ) {}

  @SseStream()
  lines() {
    return this.broadcaster.stream(ROOM, { rewind: 20 });
  }

  @Post()
  @HttpCode(204)
  append(@Body('line', new TextPipe('line', 500)) line: string): Promise<void> {
    return this.writer.append(line);
  }

  @Post('rotate')
  @HttpCode(204)
  rotate(): Promise<void> {
    return this.writer.rotate();
  }

  @Post('truncate')
  @HttpCode(204)
  truncate(): Promise<void> {
    return this.writer.truncate();
  }
}
