import { BadRequestException, type PipeTransform } from '@nestjs/common';

/** One of these words, and no other. */
export class OneOfPipe<Word extends string> implements PipeTransform<unknown, Word> {
  constructor(
    private readonly name: string,
    private readonly words: readonly Word[],
  ) {}

  transform(value: unknown): Word {
    const word = this.words.find((one) => one === value);
    if (word !== undefined) return word;
    throw new BadRequestException(`${this.name}: expected one of ${this.words.join(', ')}`);
  }
}
