// What the server sends, and its page reads.

/** A state room for each. */
export const MACHINES = [
  'Cutter',
  'Drill',
  'Furnace',
  'Grinder',
  'Lathe',
  'Mill',
  'Mixer',
  'Oven',
  'Press',
  'Saw',
] as const;

export interface MachineState {
  /** In percent, the newest last. */
  loads: readonly number[];
}

/** The room of the URL: who has a connection to this server. */
export const READERS = 'readers';

export interface ReadersState {
  connections: readonly {
    /** The tab that has it, as it calls itself. */
    readonly tab: string | undefined;
    /** How many rooms it has. */
    readonly rooms: number;
  }[];
}
