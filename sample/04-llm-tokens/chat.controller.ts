import { Body, Controller, Get, Header, Param, Post, RequestMethod } from '@nestjs/common';
import { convertToModelMessages, generateId, streamText, type UIMessage } from 'ai';
import { followUiMessages, startUiMessages, UiMessageStream } from 'nestjs-eventstream/ai';
import { SseRuns } from 'nestjs-eventstream/runs';
import { TextPipe } from '../shared/text.pipe.js';
import { Chats } from './chats.js';
import { languageModel } from './language-model.js';
import { MessagesPipe } from './messages.pipe.js';
import { Model } from './model.js';

/** So that the id of a chat can never name a run of the other page. */
const KIND = { kind: 'chat' };

/** What `useChat({ id, resume: true })` of the AI SDK asks for. */
@Controller('api/chat')
export class ChatController {
  constructor(
    private readonly runs: SseRuns,
    private readonly chats: Chats,
    private readonly model: Model,
  ) {}

  @UiMessageStream('', { method: RequestMethod.POST })
  async answer(
    @Body('id', new TextPipe('id', 100)) id: string,
    @Body('messages', MessagesPipe) messages: UIMessage[],
  ) {
    const prompt = await convertToModelMessages(messages);
    const produce = (abortSignal: AbortSignal) => {
      this.chats.save(id, messages);
      const model = languageModel(this.model);
      return streamText({ model, messages: prompt, abortSignal }).toUIMessageStream({
        originalMessages: messages,
        // The stored answer gets the id of the streamed one. Otherwise a reload shows both.
        generateMessageId: generateId,
        onEnd: ({ messages: all }) => this.chats.save(id, all),
      });
    };
    return startUiMessages(this.runs, id, produce, KIND);
  }

  /** 204 if there is nothing to resume. */
  @UiMessageStream(':id/stream')
  resume(@Param('id') id: string) {
    return followUiMessages(this.runs, id, KIND);
  }

  @Post(':id/stop')
  stop(@Param('id') id: string) {
    return this.runs.stop(id);
  }

  /** Not from a cache: after the back button the chat would have its old messages. */
  @Get(':id')
  @Header('Cache-Control', 'no-store')
  messages(@Param('id') id: string): UIMessage[] {
    return this.chats.of(id);
  }
}
