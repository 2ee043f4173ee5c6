import type { SseConnection, SseMessage } from 'nestjs-eventstream';

export const messages: SseMessage[] = [
  { data: 'x' },
  { data: { any: ['thing'] }, type: 'tick', id: '7', retry: 5_000, comment: 'c' },
  { id: 7, comment: ['a', 'b'] },
  { comment: ['a', 'b'] as const },
];
export const typed: SseMessage<{ n: number }> = { data: { n: 1 } };

// @ts-expect-error misspelt: `event` is the name on the wire
export const misspelt: SseMessage = { data: 'x', event: 'tick' };
// @ts-expect-error misspelt
export const capital: SseMessage = { Data: 'x' };
// @ts-expect-error a text is no time
export const retry: SseMessage = { retry: '5000' };
// @ts-expect-error an id is a text or a number
export const id: SseMessage = { id: { no: 7 } };
// @ts-expect-error a type is a text
export const type: SseMessage = { type: 7 };
// @ts-expect-error the payload of a typed message
export const payload: SseMessage<{ n: number }> = { data: { n: '1' } };

export async function send(connection: SseConnection): Promise<void> {
  const sent: Promise<void> = connection.send({ data: 1 });
  await sent;
  await connection.comment('c');
  connection.close();
  connection.close('shutdown');
  connection.close('sign-out');
  const reason: string = await connection.closed;
  connection.data['user'] = reason;
  const state: 'opening' | 'open' | 'closed' = connection.state;
  connection.signal.throwIfAborted();
  // @ts-expect-error read-only
  connection.id = state;
  // @ts-expect-error misspelt
  await connection.send({ event: 'tick' });
  // @ts-expect-error a value is not a message
  await connection.send('x');
  // @ts-expect-error the app's own facts are unknown until they are checked
  const user: string = connection.data['user'];
  connection.close(user);
}
