export interface TaggedTest {
  readonly kind: 'feature' | 'fault';
  readonly number: number;
  readonly path: string;
  readonly title: string;
}
export const PAGE: string;
export function taggedTests(): TaggedTest[];
export function generated(page: string, tests: readonly TaggedTest[]): string;
