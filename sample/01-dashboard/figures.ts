import type { CpuSample, DiskSample, LoadSample, MemorySample, NetworkSample } from './events.js';
import { isLoopback, type CoreTime, type Counter, type MachineReading } from './machine.js';

/**
 * What two readings of the machine say about the time between them. `undefined`: not to be had on
 * this platform.
 */
export interface Figures {
  readonly cpu: CpuSample | undefined;
  readonly memory: MemorySample;
  readonly load: LoadSample | undefined;
  readonly network: NetworkSample | undefined;
  readonly disk: DiskSample | undefined;
}

export function figuresBetween(before: MachineReading, now: MachineReading): Figures {
  const { at, memory, load } = now;
  const seconds = (at - before.at) / 1_000;
  const cores = now.cores?.map((core, index) => busyPercent(before.cores?.[index], core));
  const network = now.interfaces && networkBetween(before.interfaces, now.interfaces, seconds);
  const disk = now.disks && diskBetween(before.disks, now.disks, seconds);
  return {
    cpu: cores && { cores, at },
    memory: { ...memory, at },
    load: load && { ...load, at },
    network: network && { ...network, at },
    disk: disk && { ...disk, at },
  };
}

/** Per second, and never negative: a counter starts again when its device is replaced. */
export function rate(before: number, now: number, seconds: number): number {
  return seconds > 0 ? Math.max(0, Math.round((now - before) / seconds)) : 0;
}

function busyPercent(before: CoreTime | undefined, now: CoreTime): number {
  const totalMs = now.totalMs - (before?.totalMs ?? 0);
  const busyMs = now.busyMs - (before?.busyMs ?? 0);
  const percent = totalMs > 0 ? (busyMs / totalMs) * 100 : 0;
  return Math.round(Math.min(100, Math.max(0, percent)) * 10) / 10;
}

function networkBetween(before: readonly Counter[] = [], now: readonly Counter[], seconds: number) {
  const outside = now.filter((counter) => !isLoopback(counter));
  const [received, sent] = ratesOf(before, outside, seconds);
  const [loopback] = ratesOf(before, now.filter(isLoopback), seconds);
  return { received, sent, loopback, interfaces: outside.map(({ name }) => name) };
}

function diskBetween(before: readonly Counter[] = [], now: readonly Counter[], seconds: number) {
  const [read, written] = ratesOf(before, now, seconds);
  return { read, written, devices: now.map(({ name }) => name) };
}

/**
 * Bytes per second in and out, of all together. One that was not there before counts from the next
 * time.
 */
function ratesOf(
  before: readonly Counter[],
  now: readonly Counter[],
  seconds: number,
): [inRate: number, outRate: number] {
  let [inRate, outRate] = [0, 0];
  for (const counter of now) {
    const earlier = before.find(({ name }) => name === counter.name) ?? counter;
    inRate += rate(earlier.inBytes, counter.inBytes, seconds);
    outRate += rate(earlier.outBytes, counter.outBytes, seconds);
  }
  return [inRate, outRate];
}
