import { Module } from '@nestjs/common';
import { AnswersController } from './answers.controller.js';
import { ChatController } from './chat.controller.js';
import { Chats } from './chats.js';
import { LocalModel } from './local-model.js';
import { Model } from './model.js';

@Module({
  controllers: [AnswersController, ChatController],
  providers: [Chats, { provide: Model, useClass: LocalModel }],
})
export class AnswersModule {}
