import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import net from 'node:net';
import { delimiter, join } from 'node:path';

/**
 * Where the first of these programs is that the system has. Servers are often not in the path of a
 * user.
 */
export function findProgram(...names: string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * The first of these programs, by name or file, with which the arguments succeed: for what only
 * some installations of a language have.
 */
export function findProgramThatRuns(
  programs: readonly string[],
  args: readonly string[],
): string | undefined {
  return programs.find((program) => spawnSync(program, args, { stdio: 'ignore' }).status === 0);
}

/**
 * Ends a server when this process is gone, in whatever way: its pipe closes then. Jest's `process`
 * is a copy on which `exit` is never emitted, and a SIGKILL emits nothing anywhere. It takes the
 * process to end as a line, one with a minus as its whole group, and an empty line when there is
 * none.
 */
export function startKeeper(folder: string): ChildProcess {
  const script = 'while read -r line; do pid=$line; done; [ "$pid" ] && kill -9 $pid; rm -rf "$0"';
  const keeper = spawn('sh', ['-c', script, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Out of reach of Ctrl-C, which ends Jest and leaves a paused server.
    detached: true,
  });
  keeper.on('error', () => {});
  keeper.stdin.on('error', () => {});
  for (const handle of [keeper, keeper.stdin]) unref(handle);
  return keeper;
}

/**
 * From here on it does not keep Jest from ending. The pipes of a child are sockets, though their
 * type does not say so.
 */
export function unref(handle: ChildProcess | NodeJS.ReadableStream | NodeJS.WritableStream): void {
  (handle as ChildProcess | net.Socket).unref();
}

export const isAlive = (child: ChildProcess): boolean =>
  child.exitCode === null && child.signalCode === null;

/**
 * Below the ports that the system gives to outgoing connections, one of which could take it while a
 * server is down; the one 10 000 above it, which a Redis cluster's node needs, is free as well.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 12_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
