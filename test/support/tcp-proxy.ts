import net, { type AddressInfo } from 'node:net';

/** Some of a proxy's connections: those that fit when a method is called, or `count` is read. */
export interface ProxyConnections {
  readonly count: number;
  cut(): void;
  /** As `TcpProxy.blackHole`, and for these only: those who connect again get through. */
  blackHole(): void;
}

/** The way to a server on 127.0.0.1, with the faults of a network. */
export interface TcpProxy {
  readonly port: number;
  /** The port that new connections lead to. */
  target: number;
  /**
   * A connection is in a black hole from the moment when all that its client has sent fits; the
   * last of it is not passed on.
   */
  holdWhen: ((firstBytes: string) => boolean) | undefined;
  /** How long what arrives from now on is on its way, in each direction; it stays in order. */
  delayMs: number;
  /** How many are open, with those in a black hole: those last until `heal`. */
  readonly connections: number;
  /** `firstBytes` is all that the client has sent so far, as latin1. */
  connectionsWhere(predicate: (firstBytes: string) => boolean): ProxyConnections;
  /** Ends all current connections; new ones get through. */
  cut(): void;
  /** Ends all current connections, and new ones at once. */
  refuse(): void;
  /**
   * Current and new connections stay open, and nothing passes in either direction, not even that
   * the other end has closed. Nothing is read either, so a sender meets full buffers in the end.
   */
  blackHole(): void;
  /** Back to normal; what was in a black hole is ended. Leaves `delayMs` as it is. */
  heal(): void;
  /** Ends all, and listens no more. A second call does nothing. */
  close(): Promise<void>;
}

export async function startProxy(targetPort: number): Promise<TcpProxy> {
  let mode: 'open' | 'refuse' | 'blackHole' = 'open';
  const open = new Set<Connection>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (mode === 'refuse') {
      client.on('error', () => {}).destroy();
      return;
    }
    const connection: Connection = new Connection(client, {
      delayMs: () => proxy.delayMs,
      mustHold: () => proxy.holdWhen?.(connection.firstBytes) ?? false,
      onClosed: () => open.delete(connection),
    });
    open.add(connection);
    if (mode === 'blackHole') connection.hold();
    else connection.forward(proxy.target);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  let closed: Promise<void> | undefined;
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    target: targetPort,
    holdWhen: undefined,
    delayMs: 0,
    get connections() {
      return open.size;
    },
    connectionsWhere(predicate) {
      const fitting = () => [...open].filter(({ firstBytes }) => predicate(firstBytes));
      return {
        get count() {
          return fitting().length;
        },
        cut: () => fitting().forEach((connection) => connection.destroy()),
        blackHole: () => fitting().forEach((connection) => connection.hold()),
      };
    },
    cut: () => open.forEach((connection) => connection.destroy()),
    refuse() {
      mode = 'refuse';
      proxy.cut();
    },
    blackHole() {
      mode = 'blackHole';
      for (const connection of open) connection.hold();
    },
    heal() {
      mode = 'open';
      for (const connection of open) if (connection.held) connection.destroy();
    },
    close() {
      proxy.cut();
      closed ??= new Promise((resolve) => server.close(() => resolve()));
      return closed;
    },
  };
  return proxy;
}

interface ConnectionOptions {
  readonly delayMs: () => number;
  readonly mustHold: () => boolean;
  readonly onClosed: () => void;
}

class Connection {
  held = false;
  private readonly sent: Buffer[] = [];
  private readonly up: Lane;
  private readonly down: Lane;
  private upstream: net.Socket | undefined;

  constructor(
    private readonly client: net.Socket,
    private readonly options: ConnectionOptions,
  ) {
    this.up = new Lane(options.delayMs);
    this.down = new Lane(options.delayMs);
    client.on('error', () => {});
  }

  get firstBytes(): string {
    return Buffer.concat(this.sent).toString('latin1');
  }

  forward(targetPort: number): void {
    const { client } = this;
    this.upstream = net.connect({
      host: '127.0.0.1',
      port: targetPort,
      allowHalfOpen: true,
      noDelay: true,
    });
    this.upstream.on('error', () => {});
    client.on('data', (chunk) => {
      this.sent.push(chunk);
      if (this.options.mustHold()) this.hold();
    });
    this.pass(client, this.upstream, this.up);
    this.pass(this.upstream, client, this.down);
  }

  hold(): void {
    this.held = true;
    // A paused socket still tells that the other end has closed.
    this.up.close();
    this.down.close();
    this.client.pause();
    this.upstream?.pause();
  }

  destroy(): void {
    this.up.close();
    this.down.close();
    this.client.destroy();
    this.upstream?.destroy();
    this.options.onClosed();
  }

  private pass(from: net.Socket, to: net.Socket, lane: Lane): void {
    to.on('drain', () => {
      if (!this.held) from.resume();
    });
    from.on('data', (chunk) =>
      lane.push(() => {
        if (!to.write(chunk)) from.pause();
      }),
    );
    from.on('end', () => lane.push(() => to.end()));
    from.on('close', (hadError) => {
      // A reset overtakes what is on its way; an end waits for it, and comes back as the other's.
      if (!this.held && (hadError || to.destroyed)) this.destroy();
    });
  }
}

/** One direction: what came first leaves first, also when the delay became shorter meanwhile. */
class Lane {
  private readonly waiting: { readonly due: number; readonly leave: () => void }[] = [];
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly delayMs: () => number) {}

  push(leave: () => void): void {
    if (this.closed) return;
    this.waiting.push({ due: performance.now() + this.delayMs(), leave });
    if (this.waiting.length === 1) this.advance();
  }

  /** Drops what is on its way, and all that comes. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.waiting.length = 0;
  }

  private advance(): void {
    for (let first; (first = this.waiting[0]) !== undefined;) {
      const left = first.due - performance.now();
      if (left > 0) {
        this.timer = setTimeout(() => this.advance(), Math.ceil(left));
        return;
      }
      this.waiting.shift();
      first.leave();
    }
  }
}
