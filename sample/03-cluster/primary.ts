import { Redis } from 'ioredis';
import { choosePort } from '../shared/port.js';
import { OwnRedis } from './own-redis.js';
import { Processes } from './processes.js';

const COMMAND = 'npm run start:cluster';
const MAX_PROCESSES = 16;

/**
 * Starts Redis and the processes, starts again what was killed, and ends everything together. It
 * serves nothing itself.
 */
export async function run(): Promise<void> {
  try {
    await start();
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}

async function start(): Promise<void> {
  const count = processCount();
  const { HOST = 'localhost', REDIS_URL } = process.env;
  const own = REDIS_URL === undefined ? await OwnRedis.start(COMMAND) : undefined;
  const url = REDIS_URL ?? own?.url ?? '';
  const port = await choosePort(HOST, COMMAND);

  const processes = new Processes({
    PORT: String(port),
    REDIS_URL: url,
    REDIS_IS_DURABLE: own === undefined ? '' : '1',
  });
  processes.redis.canBeKilled = own !== undefined;
  processes.onKillRedis = () => own?.kill();
  await watchRedis(url, (isUp) => processes.setRedis(isUp));

  // The streams end before what they read from.
  const stop = (): void => void processes.stop().then(() => process.exit());
  // Not once: npm hands on a Ctrl-C that this process has got already, and without a listener it
  // would be final.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  // Where a program has started this one, such as a test: the end of that program.
  process.on('disconnect', stop);

  await processes.start(count);
  console.log(`\n  Orders on ${count} processes  http://${HOST}:${port}\n`);
}

function processCount(): number {
  const { PROCESSES = '3' } = process.env;
  const count = Number(PROCESSES);
  if (Number.isInteger(count) && count >= 1 && count <= MAX_PROCESSES) return count;
  throw new Error(`PROCESSES=${PROCESSES}: expected an integer from 1 to ${MAX_PROCESSES}`);
}

/** Calls `tell` whenever Redis comes or goes; resolves when it has come for the first time. */
async function watchRedis(url: string, tell: (isUp: boolean) => void): Promise<void> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => 250 });
  redis.on('ready', () => tell(true));
  redis.on('close', () => tell(false));
  let problem = '';
  redis.on('error', ({ message }: Error) => (problem = message));
  await redis.connect().catch((error: Error) => {
    throw new Error(
      `REDIS_URL: no connection to Redis (${problem || error.message}); correct it, or leave it out: ${COMMAND}`,
      { cause: error },
    );
  });
}
