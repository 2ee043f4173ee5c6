/** What is to be said to the model. */
export interface NewJob {
  prompt: string;
}

/**
 * A piece of the answer, and where in it the piece begins: whoever has the text up to there appends
 * it.
 */
export interface Token {
  at: number;
  text: string;
}

export interface End {
  reason: 'finished' | 'stopped' | 'failed';
}

/** All of a job so far: for those who are new, or have missed too much. */
export interface Answer {
  prompt: string;
  text: string;
}

/** The events of a job's stream, on both ends. `end` is the last one. */
export interface JobEvents {
  answer: Answer;
  token: Token;
  end: End;
}
