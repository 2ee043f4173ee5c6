import {
  Injectable,
  ServiceUnavailableException,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { Redis } from 'ioredis';
import type { Change, Order, Shop } from '../02-orders/events.js';
import { openShop, type ShopState, type Step } from '../02-orders/shop.js';
import { PREFIX, REDIS_URL } from './redis.js';

/** The shop, and with it the changes that clients have not been told of yet, oldest first. */
export interface StoredShop extends ShopState {
  readonly pending: readonly Change[];
}

const SHOP = `${PREFIX}:shop`;
const TURN = `${PREFIX}:turn`;

/** So long nobody else has a turn. */
const TURN_MS = 800;

/** Unless somebody else has changed it meanwhile. */
const REPLACE = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`;

/**
 * The state of the shop in Redis, for all processes. While Redis is away every call rejects, soon.
 */
@Injectable()
export class ShopStore implements OnApplicationShutdown {
  private readonly redis = new Redis(REDIS_URL, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 2_000,
    retryStrategy: () => 250,
    lazyConnect: true,
  }).on('error', () => {});

  private connecting: Promise<void> | undefined;

  onModuleInit(): Promise<void> {
    return this.connect();
  }

  /**
   * For who reads when it is made itself: Nest 11 does not wait for a provider before those that
   * depend on it.
   */
  connect(): Promise<void> {
    return (this.connecting ??= this.redis.connect());
  }

  onApplicationShutdown(): void {
    this.redis.disconnect();
  }

  async read(): Promise<StoredShop> {
    return parse(await this.readText());
  }

  /**
   * The change and that it has to be told, in one write: neither can be without the other, whoever
   * is killed when.
   */
  async change<Data extends Order | Shop>(step: Step<Data>) {
    const { shop, change } = await this.replace((before) => {
      const after = step(before);
      return { ...after, shop: { ...after.shop, pending: [...before.pending, after.change] } };
    });
    return { shop, change };
  }

  /** Up to this revision everything was told. */
  async told(revision: number): Promise<void> {
    await this.replace((shop) => {
      const pending = shop.pending.filter(({ data }) => data.revision > revision);
      return { shop: { ...shop, pending } };
    });
  }

  /** Whether it is this process that does something now. */
  async takeTurn(): Promise<boolean> {
    return (await asked(this.redis.set(TURN, process.pid, 'PX', TURN_MS, 'NX'))) === 'OK';
  }

  private async replace<Next extends { shop: StoredShop }>(
    next: (shop: StoredShop) => Next,
  ): Promise<Next> {
    for (;;) {
      const before = await this.readText();
      const after = next(parse(before));
      const text = JSON.stringify(after.shop);
      if ((await asked(this.redis.eval(REPLACE, 1, SHOP, before, text))) === 1) return after;
    }
  }

  private async readText(): Promise<string> {
    return (await asked(this.redis.get(SHOP))) ?? '';
  }
}

function parse(text: string): StoredShop {
  return text === '' ? { ...openShop(), pending: [] } : (JSON.parse(text) as StoredShop);
}

async function asked<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (cause) {
    throw new ServiceUnavailableException('Redis is away', { cause });
  }
}
