import type { RunStatus } from 'nestjs-eventstream/runs';

export interface Question {
  prompt: string;
}

/** A piece of the answer, and its position in the text. */
export interface Token {
  at: number;
  text: string;
}

/** The events of an answer's stream, on both ends. `run-end` is the last one. */
export interface AnswerEvents {
  question: Question;
  token: Token;
  'run-end': Pick<RunStatus, 'state' | 'error'>;
}
