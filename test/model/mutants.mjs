import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/**
 * Changes to the library that break its promise, each one that a plausible implementation would
 * have made. The model has to find every one. A mark in `lib/` says where: `// mutant: <name>`
 * above a line, or in a script of Redis `-- mutant: <name>`. `replace` stands in for the `lines`
 * below the mark, one by default. Without a `spec` both models have to find it; the log on Redis
 * has a model of its own.
 */
export const MUTANTS = [
  {
    name: 'no barrier',
    replace:
      'return entries.map(({ event }) => event).filter(({ position }) => position <= barrier + 1e15);',
  },
  {
    name: 'counter instead of clock',
    spec: 'resume',
    replace: 'return last === 0 ? Math.floor(clockMs * 1000) : last + 1;',
  },
  {
    name: 'listener attached after history',
    lines: 2,
    replace: `const joinLater = (): void => {
if (subscriber.closed) return;
if ((subscription as unknown as { phase: string }).phase === 'live') this.delivery.join(subscription);
else setImmediate(joinLater);
      };
      setImmediate(joinLater);
      subscriber.add(subscription);`,
  },
  {
    name: 'keep-alive cursor from a fresh head read',
    replace:
      'const head = { ...this.delivery.head, position: (this.delivery.log as unknown as { fresh: number }).fresh };',
  },
  {
    name: 'an event of two rooms is delivered twice',
    replace:
      'for (const room of next.rooms) for (const receiver of this.byRoom.membersOf([room])) guarded(() => receiver.deliver(published));',
  },
  {
    name: 'cursor passes what an operator holds back',
    replace: 'const isHeld = isCatchingUp;',
  },
  {
    name: 'live events are not held while missed ones are replayed',
    replace: 'this.outlet.pass(event);',
  },
  {
    name: 'the rest of a room with a gap is left out',
    spec: 'resume',
    replace: 'if (rest && withGap.length > 99) {',
  },
  {
    name: 'the rest of a room with a gap is the oldest',
    spec: 'resume',
    replace: 'const range = { after, maxEvents: 2, maxBytes: cap.bytes, newest: false };',
  },
  {
    name: 'a hole in the chain is not noticed',
    spec: 'resume-redis',
    replace: "if (notice.kind === 'probe') return false;",
  },
  {
    name: 'a repair leaves out rooms that are read meanwhile',
    spec: 'resume-redis',
    replace: 'for (const room of this.known.size > 0 ? [] : rooms()) {',
  },
  {
    name: 'a repair begins at the head',
    spec: 'resume-redis',
    replace: 'asks.push({ room, after: this.upTo.position });',
  },
  {
    name: 'another log is not noticed',
    spec: 'resume-redis',
    replace: `this.after = head.position;
return;`,
  },
  {
    name: 'the identity of the server is ignored',
    spec: 'resume-redis',
    replace: '',
  },
  {
    name: 'the last delivered event is not looked up',
    spec: 'resume-redis',
    replace: 'if (at.position > 0) return false;',
  },
  {
    name: 'a log that went back is not told to the others',
    spec: 'resume-redis',
    replace: 'this.goOnAt(head);',
  },
  {
    name: 'an end that has not arrived yet ends the stream',
    replace: '.filter(({ event }) => passedUpTo >= 0 && outlet.isLast(event.message))',
  },
  {
    name: 'a client that has read the last event waits',
    replace: '',
  },
  {
    name: 'a new client of a finished job waits',
    replace: 'const mayBeOver = false;',
  },
  {
    name: 'a replay goes on after the last event',
    replace: '',
  },
  {
    name: 'who is not in a run yet gets nothing of it',
    replace: 'const isComplete = run.readers > 0;',
  },
  {
    name: 'a run begins before the client has caught up',
    spec: 'resume',
    replace: 'const isLive = this.phase !== "ended";',
  },
];

/** The source with a mutant in it; `undefined` where its mark is not there, or there twice. */
export function mutate(source, { name, lines = 1, replace }) {
  const marked = new RegExp(
    String.raw`^ *(?://|--) mutant: ${name}\n((?: *(?://|--) mutant: .*\n)*)((?:.*\n){${lines}})`,
    'm',
  );
  const found = marked.exec(source);
  if (found === null) return undefined;
  return source.replace(marked, (_all, others) => `${others}${replace}\n`);
}

/** The files of `lib/` with marks, and the names in each. */
export function marks() {
  return readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => {
      const file = `lib/${path.replaceAll('\\', '/')}`;
      const source = readFileSync(join(root, file), 'utf8');
      return [...source.matchAll(/^ *(?:\/\/|--) mutant: (.+)$/gm)].map(([, name]) => ({
        file,
        name,
      }));
    });
}
