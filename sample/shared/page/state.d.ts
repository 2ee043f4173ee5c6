// For the pages whose scripts are TypeScript.
export const STATES: {
  readonly connecting: string;
  readonly live: string;
  readonly reconnecting: string;
  readonly offline: string;
  readonly refused: string;
  readonly ended: string;
};
export function showState(state: keyof typeof STATES): void;
