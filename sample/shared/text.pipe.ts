import { BadRequestException, type PipeTransform } from '@nestjs/common';

/** A text that is there, and not too long. */
export class TextPipe implements PipeTransform<unknown, string> {
  constructor(
    private readonly name: string,
    private readonly maxLength: number,
  ) {}

  transform(value: unknown): string {
    if (typeof value === 'string' && value !== '' && value.length <= this.maxLength) return value;
    throw new BadRequestException(
      `${this.name}: expected a text of 1 to ${this.maxLength} characters`,
    );
  }
}
