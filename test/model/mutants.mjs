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
      'for (const { event } of entries) if (event.position <= barrier + 1e15) events.push(event);',
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
    name: 'who missed other events gets those of another client',
    spec: 'resume',
    replace: 'if (known !== undefined) {',
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
    replace: 'if known then return known end',
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
  {
    name: 'two processes make the entry of a member',
    spec: 'presence',
    replace: 'const condition = {};',
  },
  {
    name: 'a process that leaves takes the others along',
    spec: 'presence',
    replace: 'if (on.length > 9) {',
  },
  {
    name: 'the members of a process that has died stay',
    spec: 'presence',
    replace: '',
  },
  {
    name: 'a process that was away too long does not come back',
    spec: 'presence',
    replace: '',
  },
  {
    name: 'nobody knows where a process that died had members',
    spec: 'presence',
    replace: '',
  },
  {
    name: 'a change that was made is taken for one that was not',
    spec: 'presence',
    replace: 'const keyed = { ...event, key: undefined };',
  },
  {
    name: 'a state from before the client came',
    spec: 'state',
    replace: 'if (state !== undefined) return state;',
  },
  {
    name: 'a change that the state holds is sent again',
    spec: 'state',
    replace: "return position < 0 && room === '' && isStateChange(type);",
  },
  {
    name: 'what comes while the state is read is lost',
    spec: 'state',
    replace:
      'if (state !== undefined) (stream.state ??= new GivenState()).give(room, state.position + 1e9, size);',
  },
  {
    name: 'a room with a gap gets no state',
    spec: 'state',
    replace: '',
  },
  {
    name: 'what the state holds is replayed',
    spec: 'state',
    replace: 'return position > 0 && rooms.length > 0 && state !== null;',
  },
  {
    name: 'an entry that was set again ends with the old one',
    spec: 'state',
    replace: 'void entry;',
  },
  {
    name: 'a condition is not looked at',
    spec: 'state',
    replace: "if (key === '' && condition !== undefined) {",
  },
  {
    name: 'a change that the client was not told of is lost',
    spec: 'rooms',
    replace:
      'const reading = (hasChanged ? this.store.read() : Promise.resolve(undefined)).then(took, (error: unknown) => this.fail(error));',
  },
  {
    name: 'an event of an old and a new room comes twice',
    spec: 'rooms',
    replace: 'waits: () => false,',
  },
  {
    name: 'events of a room that has left still come',
    spec: 'rooms',
    replace: 'for (const part of [this.joining]) {',
  },
  {
    name: 'a new room of a returning client gets nothing old',
    spec: 'rooms',
    replace:
      'return cover === undefined || rooms.length > 0 ? NONE : (roomsOutside(cover, rooms) ?? NONE);',
  },
  {
    name: 'a join replays what was before it',
    spec: 'rooms',
    replace:
      'const begin = { cursors: [{ ...at, position: 1 }], isNew: true, label: labelOf(at.position) };',
  },
  {
    name: 'rooms that join miss what the others have lost in a gap',
    spec: 'rooms',
    replace: 'if (rooms.some((room) => main?.rooms.includes(room) !== false)) return true;',
  },
  {
    name: 'rooms that join run ahead of the others',
    spec: 'rooms',
    replace: 'waits: () => false,',
  },
  {
    name: 'the others do not wait while a join is written',
    spec: 'rooms',
    replace:
      'const claim = stream.joins.claims.add({ rooms: joined, ownsAfter: Infinity, oldUpTo: 0, had: 0 });',
  },
  {
    name: 'a room that has not caught up is taken for read on a return',
    spec: 'rooms',
    replace: 'own === undefined || position <= own.position;',
  },
  {
    name: 'what an operator holds of a room that has left still comes',
    spec: 'rooms',
    replace: 'const hasLeft = false;',
  },
  {
    name: 'the client is told of a change without its cursor',
    spec: 'rooms',
    replace: 'const id = undefined;',
  },
  {
    name: 'two processes start the same run',
    spec: 'runs',
    replace: 'return await this.records.set(id, record, {});',
  },
  {
    name: 'runs of a process that has died go on for ever',
    spec: 'runs',
    replace: '',
  },
  {
    name: 'messages of a process that was taken for dead count',
    spec: 'runs',
    replace: '',
  },
  {
    name: 'messages that history has deleted are not waited for',
    spec: 'runs',
    replace: '',
  },
  {
    name: 'a reader that returns begins again',
    spec: 'runs',
    replace: 'const index = cursor.position < 0 ? 0 : undefined;',
  },
  {
    name: 'a reader that is ahead of its process is not waited for',
    spec: 'runs',
    replace: '',
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
