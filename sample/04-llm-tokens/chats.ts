import { Injectable } from '@nestjs/common';
import type { UIMessage } from 'ai';

/** When there are more, the oldest is forgotten. */
const MAX_CHATS = 100;

/** What was said in each chat. A real app has a database here. */
@Injectable()
export class Chats {
  private readonly chats = new Map<string, UIMessage[]>();

  of(id: string): UIMessage[] {
    return this.chats.get(id) ?? [];
  }

  save(id: string, messages: UIMessage[]): void {
    this.chats.set(id, messages);
    const [oldest] = this.chats.keys();
    if (this.chats.size > MAX_CHATS && oldest !== undefined) this.chats.delete(oldest);
  }
}
