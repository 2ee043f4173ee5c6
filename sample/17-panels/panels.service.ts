import { isDeepStrictEqual } from 'node:util';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Broadcaster, poll, SseConnections, type StateRoom } from 'nestjs-eventstream';
import type { Subscription } from 'rxjs';
import { MACHINES, READERS, type MachineState, type ReadersState } from './events.js';

const INTERVAL_MS = 500;
/** How many loads are drawn. */
const KEPT = 40;

interface Machine {
  readonly room: StateRoom<MachineState>;
  loads: readonly number[];
}

/** Makes up the loads of the machines, and says who reads them. */
@Injectable()
export class PanelsService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly machines: Machine[];
  private readonly readers: StateRoom<ReadersState>;
  private shown: ReadersState['connections'] | undefined;
  private running: Subscription | undefined;

  constructor(
    broadcaster: Broadcaster,
    private readonly connections: SseConnections,
  ) {
    this.machines = MACHINES.map((machine) => ({ room: broadcaster.state(machine), loads: [] }));
    this.readers = broadcaster.state(READERS);
  }

  onApplicationBootstrap(): void {
    this.running = poll(INTERVAL_MS, () => this.update()).subscribe();
  }

  onModuleDestroy(): void {
    this.running?.unsubscribe();
  }

  private async update(): Promise<void> {
    await Promise.all([this.showReaders(), ...this.machines.map((machine) => measure(machine))]);
  }

  private async showReaders(): Promise<void> {
    const connections = this.connections.list().map(({ request, rooms }) => {
      const tab = request.headers['x-tab'];
      return { tab: typeof tab === 'string' ? tab.slice(0, 8) : undefined, rooms: rooms.length };
    });
    if (isDeepStrictEqual(connections, this.shown)) return;
    this.shown = connections;
    await this.readers.set('connections', connections);
  }
}

async function measure(machine: Machine): Promise<void> {
  const last = machine.loads.at(-1) ?? 50;
  // Never far from the middle, so that it stays between 0 and 100.
  const load = Math.round(last + (50 - last) / 5 + (Math.random() - 0.5) * 20);
  machine.loads = [...machine.loads, load].slice(-KEPT);
  await machine.room.set('loads', machine.loads);
}
