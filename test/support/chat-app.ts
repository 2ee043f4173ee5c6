import { Body, Controller, Get, Param, Post, RequestMethod } from '@nestjs/common';
import { convertToModelMessages, generateId, streamText, type UIMessage } from 'ai';
import { followUiMessages, startUiMessages, UiMessageStream } from 'nestjs-eventstream/ai';
import { SseRuns } from 'nestjs-eventstream/runs';
import { ChatModel } from './chat-model.js';

/** As it would be in a database: the processes of a test share it. */
export class Chats {
  /** The models by the chats that they answer. */
  private readonly models = new Map<string, ChatModel>();
  private readonly messages = new Map<string, UIMessage[]>();
  /** What the SDK has told of answers that have ended. */
  readonly ended: { text: string; isAborted: boolean }[] = [];

  modelOf(id: string): ChatModel {
    let model = this.models.get(id);
    if (model === undefined) this.models.set(id, (model = new ChatModel()));
    return model;
  }

  of(id: string): UIMessage[] {
    return this.messages.get(id) ?? [];
  }

  save(id: string, messages: UIMessage[]): void {
    this.messages.set(id, messages);
  }
}

export const textOf = (message: UIMessage | undefined): string =>
  (message?.parts ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');

/** A chat as the guide has it. */
@Controller('api/chat')
export class ChatController {
  constructor(
    private readonly runs: SseRuns,
    private readonly chats: Chats,
  ) {}

  @UiMessageStream('', { method: RequestMethod.POST })
  async answer(@Body() { id, messages }: { id: string; messages: UIMessage[] }) {
    const prompt = await convertToModelMessages(messages);
    const { model } = this.chats.modelOf(id);
    return startUiMessages(this.runs, id, (abortSignal) => {
      this.chats.save(id, messages);
      const onError = (): void => {};
      return streamText({ model, messages: prompt, abortSignal, onError }).toUIMessageStream({
        originalMessages: messages,
        // So that the answer of the run replaces the one that is stored, instead of following it.
        generateMessageId: generateId,
        onEnd: ({ messages: all, responseMessage, isAborted }) => {
          this.chats.save(id, all);
          this.chats.ended.push({ text: textOf(responseMessage), isAborted });
        },
      });
    });
  }

  @UiMessageStream(':id/stream')
  resume(@Param('id') id: string) {
    return followUiMessages(this.runs, id);
  }

  @Post(':id/stop')
  stop(@Param('id') id: string) {
    return this.runs.stop(id);
  }

  @Get(':id')
  messages(@Param('id') id: string): UIMessage[] {
    return this.chats.of(id);
  }
}
