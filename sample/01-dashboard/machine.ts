import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { cpus, freemem, loadavg, platform, totalmem } from 'node:os';

/** What the counters of this machine say. `undefined`: this platform does not have them. */
export interface MachineReading {
  readonly at: number;
  readonly cores: readonly CoreTime[] | undefined;
  readonly memory: { usedBytes: number; totalBytes: number; processBytes: number };
  readonly load: { one: number; five: number; fifteen: number } | undefined;
  readonly interfaces: readonly Counter[] | undefined;
  readonly disks: readonly Counter[] | undefined;
}

/** Milliseconds since the machine was started. */
export interface CoreTime {
  readonly busyMs: number;
  readonly totalMs: number;
}

/** Bytes into and out of memory, since the machine was started. */
export interface Counter {
  readonly name: string;
  readonly inBytes: number;
  readonly outBytes: number;
}

/** The unit of /proc/diskstats, whatever the disk's own sectors are. */
const SECTOR_BYTES = 512;

export async function readMachine(): Promise<MachineReading> {
  const [interfaces, disks] = await Promise.all([readInterfaces(), readDisks()]);
  return {
    at: Date.now(),
    cores: readCores(),
    memory: {
      usedBytes: totalmem() - freemem(),
      totalBytes: totalmem(),
      processBytes: process.memoryUsage.rss(),
    },
    load: readLoad(),
    interfaces,
    disks,
  };
}

function readCores(): CoreTime[] | undefined {
  const cores = cpus().map(({ times: { user, nice, sys, irq, idle } }) => {
    const busyMs = user + nice + sys + irq;
    return { busyMs, totalMs: busyMs + idle };
  });
  return cores.length > 0 ? cores : undefined;
}

function readLoad(): MachineReading['load'] {
  // Windows has no such average; Node answers zeros.
  if (platform() === 'win32') return undefined;
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return { one, five, fifteen };
}

/** The loopback and the hardware; bridges and tunnels would count the same bytes again. */
async function readInterfaces(): Promise<Counter[] | undefined> {
  const all = (await linesOf('/proc/net/dev'))?.slice(2).map((line) => {
    const [name = '', counters = ''] = line.split(':');
    const fields = counters.trim().split(/\s+/).map(Number);
    return { name: name.trim(), inBytes: fields[0] ?? 0, outBytes: fields[8] ?? 0 };
  });
  const hardware = all?.filter(({ name }) => existsSync(`/sys/class/net/${name}/device`));
  // A container has none: what it has is its own.
  return hardware?.length ? all?.filter((one) => isLoopback(one) || hardware.includes(one)) : all;
}

export function isLoopback({ name }: Counter): boolean {
  return name === 'lo';
}

/** Whole disks only: a partition or a volume would count the same bytes again. */
async function readDisks(): Promise<Counter[] | undefined> {
  const disks = (await linesOf('/proc/diskstats'))
    ?.map((line) => {
      const fields = line.trim().split(/\s+/);
      const inBytes = Number(fields[5]) * SECTOR_BYTES;
      return { name: fields[2] ?? '', inBytes, outBytes: Number(fields[9]) * SECTOR_BYTES };
    })
    .filter(({ name }) => existsSync(`/sys/block/${name}/device`));
  return disks?.length ? disks : undefined;
}

async function linesOf(path: string): Promise<string[] | undefined> {
  try {
    return (await readFile(path, 'utf8')).trimEnd().split('\n');
  } catch {
    return undefined;
  }
}
