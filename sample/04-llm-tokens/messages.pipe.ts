import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import { safeValidateUIMessages, type UIMessage } from 'ai';

/** The messages of a chat, as `useChat` sends them. */
@Injectable()
export class MessagesPipe implements PipeTransform<unknown, Promise<UIMessage[]>> {
  async transform(messages: unknown): Promise<UIMessage[]> {
    const checked = await safeValidateUIMessages({ messages });
    if (checked.success) return checked.data;
    throw new BadRequestException('messages: expected the messages of a chat');
  }
}
