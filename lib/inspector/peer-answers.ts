import type { ProcessReport } from './process-report.js';
import type { InspectedProcess } from './state.js';

/** A process that did not answer this many questions in a row is shown as gone. */
const MAX_MISSED = 3;
const SHOWN_WHEN_GONE_MS = 60_000;

interface Answer {
  readonly report: ProcessReport;
  readonly heardAt: number;
  /** How many questions were sent since. */
  missed: number;
}

/** What the other processes have answered to one page. */
export class PeerAnswers {
  private readonly byProcess = new Map<string, Answer>();

  /** A question has been sent to all. */
  asked(now: number): void {
    for (const [id, answer] of this.byProcess) {
      answer.missed++;
      if (isGone(answer) && now - answer.heardAt > SHOWN_WHEN_GONE_MS) this.byProcess.delete(id);
    }
  }

  /** That question could not be sent. */
  notSent(): void {
    for (const answer of this.byProcess.values()) answer.missed--;
  }

  heard(report: ProcessReport, now: number): void {
    this.byProcess.set(report.id, { report, heardAt: now, missed: 0 });
  }

  /** The reports of the processes that still answer. */
  get reports(): ProcessReport[] {
    return [...this.byProcess.values()].filter((one) => !isGone(one)).map(({ report }) => report);
  }

  /** In the order of their hosts and numbers, so that each keeps its place. */
  get processes(): InspectedProcess[] {
    return [...this.byProcess.values()]
      .map((answer) => processOf(answer.report, answer.heardAt, isGone(answer)))
      .sort((one, other) => one.host.localeCompare(other.host) || one.pid - other.pid);
  }
}

function isGone({ missed }: Answer): boolean {
  return missed > MAX_MISSED;
}

/** What the list of processes says of one. */
export function processOf(
  { id, pid, host, connections, traffic, hubs }: ProcessReport,
  heardAt: number,
  gone = false,
): InspectedProcess {
  return {
    id,
    pid,
    host,
    open: connections.open,
    blocked: connections.blocked,
    bufferedBytes: connections.bufferedBytes,
    deliveredPerSecond: traffic?.perSecond.delivered ?? 0,
    trouble: hubs.find(({ trouble }) => trouble !== null)?.trouble ?? null,
    heardAt,
    isGone: gone,
  };
}
