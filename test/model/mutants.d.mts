export interface Mutant {
  readonly name: string;
  readonly spec?: 'resume' | 'resume-redis' | 'presence' | 'state' | 'rooms';
  readonly lines?: number;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[];
export function mutate(source: string, mutant: Mutant): string | undefined;
export function marks(): { readonly file: string; readonly name: string }[];
