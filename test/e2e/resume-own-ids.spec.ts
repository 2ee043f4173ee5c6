import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { filter, map } from 'rxjs';
import { Broadcaster, LastEventId, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';

describe.each(ADAPTERS)('ids of the app (%s)', (adapter) => {
  /** Stands for a table with a sequence. */
  class Table {
    readonly rows: { no: number; text: string }[] = [];
    /** Runs once, while a query does. */
    duringQuery: (() => void) | undefined;
    insert(text: string): { no: number; text: string } {
      const row = { no: this.rows.length + 1, text };
      this.rows.push(row);
      return row;
    }
    after(no: number) {
      const rows = this.rows.filter((row) => row.no > no);
      this.duringQuery?.();
      this.duringQuery = undefined;
      return rows;
    }
  }

  @Controller()
  class Messages {
    constructor(
      readonly hub: Broadcaster<{ message: { no: number; text: string } }>,
      private readonly table: Table,
    ) {}
    @SseStream('messages') messages(@LastEventId() after: string | undefined) {
      let last = Number(after ?? 0);
      return this.hub
        .stream('messages', {
          lastEventId: false,
          snapshot: async () => {
            const rows = this.table.after(last);
            last = rows.at(-1)?.no ?? last;
            return rows.map((row) => ({ id: row.no, type: 'message', data: row.text }));
          },
        })
        .pipe(
          filter(({ data }) => data.no > last),
          map(({ data }) => ({ id: data.no, type: 'message', data: data.text })),
        );
    }
  }

  // feature: 48
  it('resume from its own store, and a row that is added during the query is not missed', async () => {
    const app = await serve(Messages, {
      adapter,
      sse: { keepAlive: { intervalMs: 5 } },
      module: { providers: [Table] },
    });
    const table = app.nest.get(Table);
    const { hub } = app.nest.get(Messages);
    const add = (text: string): void => void hub.to('messages').emit('message', table.insert(text));
    ['one', 'two', 'three'].forEach(add);
    table.duringQuery = () => add('four');
    const stream = app.open('/messages', { headers: { 'last-event-id': '1' } });
    expect((await stream.take(3)).map(({ id, data }) => [id, data])).toEqual([
      ['2', 'two'],
      ['3', 'three'],
      ['4', 'four'],
    ]);
    // Keep-alives do not overwrite an id that is not theirs.
    await stream.until(({ text }) => text.split(': keep-alive\n\n').length > 2);
    expect(stream.cursor).toBe('4');
    add('five');
    expect(await stream.next()).toMatchObject({ id: '5', data: 'five' });
  });
});
