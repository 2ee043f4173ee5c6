// Ends what a run has started, however the run itself ends: its pipe closes then, even after a
// SIGKILL.
import { spawn } from 'node:child_process';

/** Each line names all processes that are alive; a former one could be somebody else's by now. */
const SCRIPT = 'while read -r line; do pids=$line; done; [ "$pids" ] && kill -9 $pids; rm -rf "$0"';

/**
 * Answers a function that takes a process into its care, and one that ends all at once and removes
 * the folder.
 */
export function startKeeper(folder) {
  const keeper = spawn('sh', ['-c', SCRIPT, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  keeper.unref();
  keeper.stdin.unref();
  keeper.stdin.on('error', () => {});
  const alive = new Set();
  const tell = () => keeper.stdin.write(`${[...alive].join(' ')}\n`);
  return {
    keep(child) {
      if (child.pid === undefined) return;
      alive.add(child.pid);
      tell();
      child.once('exit', () => {
        alive.delete(child.pid);
        tell();
      });
    },
    end: () => keeper.stdin.end(),
  };
}
