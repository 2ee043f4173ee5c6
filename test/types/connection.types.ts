import type { INestApplication } from '@nestjs/common';
import {
  SseConnection,
  SseConnections,
  type CloseReason,
  type ClosedConnection,
  type HttpRequest,
  type Identity,
  type SseMessage,
} from 'nestjs-eventstream';
import { fakeConnection } from 'nestjs-eventstream/testing';
import type { Observable } from 'rxjs';

/** Exactly these members, no more and no fewer. */
type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;

interface ConnectionFace {
  readonly id: string;
  readonly request: HttpRequest;
  readonly lastEventId: string | undefined;
  readonly data: Record<string, unknown>;
  readonly state: 'opening' | 'open' | 'closed';
  readonly openedAt: number | undefined;
  send(message: SseMessage): Promise<void>;
  comment(text: string): Promise<void>;
  close(reason?: CloseReason): void;
  readonly signal: AbortSignal;
  readonly closed: Promise<CloseReason>;
  readonly sentEvents: number;
  readonly sentBytes: number;
  readonly bufferedBytes: number;
  readonly droppedEvents: number;
  readonly identity: Identity | undefined;
  readonly rooms: readonly string[];
  join(...rooms: string[]): Promise<readonly string[]>;
  leave(...rooms: string[]): Promise<readonly string[]>;
}

interface ConnectionsFace {
  readonly opened$: Observable<SseConnection>;
  readonly closed$: Observable<ClosedConnection>;
  readonly count: number;
  list(): SseConnection[];
  find(predicate: (connection: SseConnection) => boolean): SseConnection | undefined;
  closeAll(reason?: CloseReason): void;
  revoke(predicate: (connection: SseConnection) => boolean): number;
  revokeEverywhere(facts: Readonly<Record<string, string | number | boolean>>): Promise<void>;
}

export const offers: Same<Pick<SseConnection, keyof SseConnection>, ConnectionFace> = true;
export const offersOfAll: Same<Pick<SseConnections, keyof SseConnections>, ConnectionsFace> = true;

export function use(connection: SseConnection, connections: SseConnections): void {
  connection.close('any text');
  connection.data['user'] = 7;
  connections.opened$.subscribe(({ id }) => id);
  // Both are classes for `instanceof` and for dependency injection.
  const tokens: (abstract new () => unknown)[] = [SseConnection, SseConnections];
  const isOne: boolean = (tokens as unknown) instanceof SseConnection;
  // @ts-expect-error only the library makes connections
  const made = new SseConnection();
  // @ts-expect-error nor is there another registry
  const madeForAll = new SseConnections();
  // @ts-expect-error the engine is not the app's
  connection.destroy('client');
  // @ts-expect-error nor the settings
  const { settings } = connection;
  // @ts-expect-error nor the shutdown
  connections.drain(1);
  // @ts-expect-error a connection says itself what state it is in
  connection.state = 'closed';
  // @ts-expect-error an object with the same members is no connection
  const other: SseConnection = {} as ConnectionFace;
  void [isOne, made, madeForAll, settings, other];
}

export function byToken(app: INestApplication): number {
  // @ts-expect-error not `any`: the token is a class, and tells what it stands for
  app.get(SseConnections).drain(1);
  return app.get(SseConnections).count;
}

export function inTests(): SseConnection {
  const connection = fakeConnection({ lastEventId: '7' });
  const text: string = connection.text;
  const messages: SseMessage[] = connection.messages;
  connection.disconnect();
  // @ts-expect-error a fake offers no more of the engine than a real one
  connection.destroy('client');
  void [text, messages];
  return connection;
}
