import type { PeerChannel } from '../hub/peer-channel.js';

/** Another version of this library may have other words. */
const VERSION = 'runs 1';

/**
 * - `stop`: stop the run.
 * - `page`: write what is not in its pages yet.
 * - `read`: somebody reads it.
 */
export type Word = 'stop' | 'page' | 'read';

/** Short messages to the process that works on a run. They may be missed, and are repeated. */
export class RunMessages {
  private readonly unlisten: () => void;

  constructor(
    private readonly peers: PeerChannel,
    private readonly heard: (word: Word, id: string, run: string) => void,
  ) {
    this.unlisten = peers.listen((text) => this.receive(text));
  }

  get address(): string {
    return this.peers.address;
  }

  /** Never rejects: who sends it waits for the effect. */
  async send(word: Word, id: string, run: string, to: string): Promise<void> {
    if (to === this.address) return this.heard(word, id, run);
    await this.peers.send(JSON.stringify([VERSION, word, id, run]), to).catch(() => {});
  }

  private receive(text: string): void {
    if (!text.startsWith(`["${VERSION}"`)) return;
    const [, word, id, run] = JSON.parse(text) as [string, Word, string, string];
    this.heard(word, id, run);
  }

  close(): void {
    this.unlisten();
  }
}
