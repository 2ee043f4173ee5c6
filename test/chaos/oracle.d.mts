interface Published {
  readonly uid: number;
  readonly rooms: readonly string[];
  readonly size: number;
  readonly at: number;
  readonly key?: string;
  readonly ephemeral?: boolean;
}
interface Received {
  readonly uid: number;
  readonly size: number;
  readonly at: number;
  readonly id?: string;
  readonly isIntact?: boolean;
}
interface Fault {
  readonly client: string;
  readonly uid: number;
}
interface Verdict {
  readonly published: number;
  readonly acknowledged: number;
  readonly due: number;
  readonly delivered: number;
  readonly told: number;
  readonly lost: readonly Fault[];
  readonly doubled: readonly Fault[];
  readonly ephemeralAgain: number;
  readonly excused: number;
  readonly disordered: readonly Fault[];
  readonly foreign: readonly Fault[];
}
export declare class Oracle {
  publishing(event: Published): void;
  acknowledged(uid: number, cursor: string | undefined, at: number): void;
  lostWrites(from: number, to: number): void;
  client(name: string, rooms: readonly string[]): void;
  returned(
    name: string,
    was?: { readonly port: number; readonly lastEventId?: string; readonly at: number },
  ): void;
  cursor(name: string, at: number, id?: string): void;
  received(name: string, event: Received): void;
  gap(
    name: string,
    gap: { readonly rooms: readonly string[]; readonly at: number; readonly reason?: string },
  ): void;
  waiting(uid: number): string[];
  judge(): Verdict;
}
