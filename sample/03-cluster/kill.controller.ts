import {
  Controller,
  HttpCode,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  UseGuards,
} from '@nestjs/common';
import { ClusterService } from './cluster.service.js';
import { FromHereGuard } from '../shared/from-here.guard.js';

/**
 * What the buttons of the panel ask for: SIGKILL, as when a machine is gone. Only from this
 * machine: see the guard.
 */
@Controller('kill')
@UseGuards(FromHereGuard)
export class KillController {
  constructor(private readonly cluster: ClusterService) {}

  @Post('process/:number')
  @HttpCode(202)
  killProcess(@Param('number', ParseIntPipe) number: number): void {
    const known = this.cluster.state?.processes.some((one) => one.number === number);
    if (!known) throw new NotFoundException(`There is no process ${number}`);
    this.cluster.tell({ kill: number });
  }

  @Post('redis')
  @HttpCode(202)
  killRedis(): void {
    if (!this.cluster.state?.redis.canBeKilled) {
      throw new NotFoundException('This Redis was there before, and is left alone');
    }
    this.cluster.tell({ kill: 'redis' });
  }
}
