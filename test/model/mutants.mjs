/**
 * Changes to the library that break its promise, each in a way that a plausible implementation would: the model has to
 * find every one of them. `find` stands once in its file. Without a `spec` it is both models that have to find it; the log on
 * Redis has its own.
 */
export const MUTANTS = [
  {
    name: 'no barrier',
    file: 'lib/log/resume.ts',
    find: 'filter(({ position }) => position <= barrier);',
    replace: 'filter(({ position }) => position <= barrier + 1e15);',
  },
  {
    name: 'counter in place of clock',
    file: 'lib/wire/cursor.ts',
    find: 'return Math.max(last + 1, Math.floor(clockMs * 1000));',
    replace: 'return last === 0 ? Math.floor(clockMs * 1000) : last + 1;',
  },
  {
    name: 'listener attached after history',
    file: 'lib/hub/broadcaster.ts',
    find: `        this.delivery.join(reader);
        subscriber.add(`,
    replace: `      const joinLater = (): void => {
        if (subscriber.closed) return;
        if ((reader as unknown as { waiting: unknown }).waiting === undefined) this.delivery.join(reader);
        else setImmediate(joinLater);
      };
      setImmediate(joinLater);
      subscriber.add(`,
  },
  {
    name: 'keep-alive cursor from a fresh head read',
    file: 'lib/hub/broadcaster.ts',
    find: '    return this.delivery.head;',
    replace:
      '    return { ...this.delivery.head, position: (this.log as unknown as { fresh: number }).fresh };',
  },
  {
    name: 'two notifications for a two-room event',
    file: 'lib/hub/delivery.ts',
    find: 'for (const reader of readers) guarded(() => reader.deliver(published));',
    replace:
      'for (const room of next.rooms) for (const reader of this.byRoom.in([room])) guarded(() => reader.deliver(published));',
  },
  {
    name: 'cursor passes what an operator holds back',
    file: 'lib/hub/reader.ts',
    find: 'const isHeld = this.waiting !== undefined || !this.pipeline.isEmpty;',
    replace: 'const isHeld = this.waiting !== undefined;',
  },
  {
    name: 'live events are not held while missed ones are replayed',
    file: 'lib/hub/reader.ts',
    find: '    this.waiting.push(event);',
    replace: '    this.pass(event);',
  },
  {
    name: 'the rest of a room with a gap is left out',
    spec: 'resume',
    file: 'lib/log/resume.ts',
    find: '  if (rest && withGap.length > 0) {',
    replace: '  if (rest && withGap.length > 99) {',
  },
  {
    name: 'the rest of a room with a gap is the oldest',
    spec: 'resume',
    file: 'lib/log/resume.ts',
    find: 'maxEvents: cap.events, maxBytes: cap.bytes, newest: true };',
    replace: 'maxEvents: 2, maxBytes: cap.bytes, newest: false };',
  },
  {
    name: 'the chain is not looked at',
    spec: 'resume-redis',
    file: 'lib/redis/follower.ts',
    find: "if (notice.kind === 'probe' || notice.before > at.position) return false;",
    replace: "if (notice.kind === 'probe') return false;",
  },
  {
    name: 'a repair leaves out rooms that are read meanwhile',
    spec: 'resume-redis',
    file: 'lib/redis/repair.ts',
    find: 'for (const room of rooms()) {',
    replace: 'for (const room of this.known.size > 0 ? [] : rooms()) {',
  },
  {
    name: 'a repair begins at the head',
    spec: 'resume-redis',
    file: 'lib/redis/repair.ts',
    find: 'asks.push({ room, after: this.at.position });',
    replace: 'asks.push({ room, after: this.upTo.position });',
  },
  {
    name: 'a log that is another one is not noticed',
    spec: 'resume-redis',
    file: 'lib/hub/reader.ts',
    find: '    this.begunAnewAt = delivered;',
    replace: '    this.after = delivered.position;\n    return;',
  },
  {
    name: 'the identity of the server is not looked at',
    spec: 'resume-redis',
    file: 'lib/redis/script.ts',
    find: "  if isDurable ~= '1' then server = identity() end",
    replace: '',
  },
  {
    name: 'the log is not asked for what was handed on last',
    spec: 'resume-redis',
    file: 'lib/redis/follower.ts',
    find: '    if (this.lastTaken === undefined) return false;',
    replace: '    if (at.position > 0) return false;',
  },
  {
    name: 'an event that goes on from before is taken for the next one',
    spec: 'resume-redis',
    file: 'lib/redis/follower.ts',
    find: '    if (notice.before < at.position) {',
    replace: '    if (notice.before < 0) {',
  },
  {
    name: 'a process that sees the log go back keeps it to itself',
    spec: 'resume-redis',
    file: 'lib/redis/follower.ts',
    find: 'this.goOnAt(await this.source.end(seen));',
    replace: 'this.goOnAt(head);',
  },
  {
    name: 'an end that has not come here yet ends the stream',
    file: 'lib/hub/reader.ts',
    find: '.filter(({ event }) => event.position <= passed && this.isLast(event.message))',
    replace: '.filter(({ event }) => passed >= 0 && this.isLast(event.message))',
  },
  {
    name: 'who has read the last event is not told that it was the last',
    file: 'lib/hub/reader.ts',
    find: '    if (await this.isOver()) this.subscriber.complete();',
    replace: '',
  },
  {
    name: 'a new client of a job that is over waits',
    file: 'lib/hub/reader.ts',
    find: 'this.until !== undefined && this.hub.keepsHistory;',
    replace: 'false;',
  },
  {
    name: 'a replay goes on after the last event',
    file: 'lib/hub/reader.ts',
    find: '    if (this.isLast(hubEvent)) this.subscriber.complete();',
    replace: '',
  },
];
