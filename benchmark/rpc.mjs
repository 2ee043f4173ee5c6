// Calls between the benchmark and its child processes, over Node's IPC channel.
import { spawn, spawnSync } from 'node:child_process';

const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/** In a child: answers the calls of the parent, and ends with it. */
export function expose(handlers) {
  const answer = async ({ id, name, args }) => {
    try {
      process.send({ id, result: await handlers[name](...args) });
    } catch (error) {
      process.send({ id, error: error.stack ?? String(error) });
    }
  };
  process.on('message', (call) => void answer(call));
  process.on('disconnect', () => process.exit());
  process.send({ id: 0 });
}

/** Starts a child process on one core, where that can be had. Answers when it can be called. */
export async function start(file, { core, args = [], flags = [] }) {
  const command = [process.execPath, ...flags, file, ...args];
  if (canPin) command.unshift('taskset', '-c', String(core));
  const child = spawn(command[0], command.slice(1), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const open = new Map();
  let isStopping = false;
  const call = (id, message) =>
    new Promise((resolve, reject) => {
      open.set(id, { resolve, reject });
      if (message) child.send(message);
    });
  child.on('message', ({ id, result, error }) => {
    const { resolve, reject } = open.get(id);
    open.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(`${file} ${args.join(' ')}: ${error}`));
  });
  child.on('exit', (code, signal) => {
    for (const { reject } of open.values()) {
      reject(new Error(`${file} ${args.join(' ')} ended: ${code ?? signal}`));
    }
    if (!isStopping) console.error(`${file} ${args.join(' ')} ended: ${code ?? signal}`);
  });
  let calls = 0;
  await call(0);
  return {
    pid: child.pid,
    call: (name, ...parameters) => {
      calls += 1;
      return call(calls, { id: calls, name, args: parameters });
    },
    /** Closing the channel makes it end. */
    stop: () =>
      new Promise((resolve) => {
        isStopping = true;
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', resolve);
        child.disconnect();
      }),
  };
}

export const pinning = canPin
  ? 'servers on core 0, load on core 1'
  : 'no taskset here: servers and load are not pinned';
