// A server that is no Node process: `command` starts it, and peers/floor.c has the control. Only
// its own CPU time counts; this process sends the events to it.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export async function start({ command: [file, ...args] }) {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill());
  const asked = [];
  let failure;
  const answer = () =>
    new Promise((resolve, reject) => {
      if (failure === undefined) asked.push({ resolve, reject });
      else reject(failure);
    });
  const fail = (error) => {
    failure = error;
    for (const { reject } of asked) reject(error);
  };
  createInterface({ input: child.stdout }).on('line', (line) =>
    asked.shift().resolve(Number(line)),
  );
  child.on('error', fail);
  child.on('exit', (code, signal) => fail(new Error(`${file} ended: ${code ?? signal}`)));
  // What is written after its end fails; the next question says why.
  child.stdin.on('error', () => {});

  let lines = '';
  const flush = () => {
    child.stdin.write(`${lines}\n`);
    lines = '';
  };
  return {
    port: await answer(),
    publish(_room, data) {
      if (lines === '') setImmediate(flush);
      lines += `${JSON.stringify(data)}\n`;
    },
    cpu() {
      child.stdin.write('cpu\n');
      return answer();
    },
  };
}
