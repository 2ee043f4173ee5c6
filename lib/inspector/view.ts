import { setTimeout as delay } from 'node:timers/promises';
import { defer, finalize, shareReplay, type Observable } from 'rxjs';
import { poll } from '../nest/poll.js';
import type { LocalProcess } from './local-process.js';
import type { Look } from './look.js';
import { mergedConnections, mergedNotes, mergedRooms, mergedTraffic } from './merge.js';
import { PeerAnswers, processOf } from './peer-answers.js';
import type { Peers } from './peers.js';
import type { ProcessReport } from './process-report.js';
import { addedUp } from './sampler.js';
import type { InspectorSamples, InspectorState } from './state.js';

const INTERVAL_MS = 1_000;
/** Only every second tick asks the other processes, because each answer goes to all of them. */
const TICKS_PER_QUESTION = 2;
/**
 * The first state waits this long for answers of other processes. If none has come, it waits again;
 * `MAX_WAITS` times in all.
 */
const FIRST_ANSWERS_MS = 250;
const MAX_WAITS = 3;
/** More would be too much for a person to read, and for the server to send every second. */
const MAX_LISTED = 200;

/**
 * The state now and every second. Traffic is counted, and others are asked, while it has readers.
 */
export function statesOf(
  local: LocalProcess,
  peers: Peers | undefined,
  look: Look,
  onEnd: () => void,
): Observable<InspectorState> {
  return defer(() => {
    const release = local.counting.hold();
    const lists = local.newLists();
    const answers = new PeerAnswers();
    const view = peers?.open(answers);
    let tick = 0;
    return poll(INTERVAL_MS, async () => {
      if (peers !== undefined && view !== undefined && tick++ % TICKS_PER_QUESTION === 0) {
        await peers.ask(view, { look, counts: true, samples: false });
        if (tick === 1) await firstAnswers(answers);
      }
      return stateOf(local.report(look, lists, MAX_LISTED), look, answers, peers);
    }).pipe(
      finalize(() => {
        release();
        onEnd();
        if (view !== undefined) peers?.close(view);
      }),
    );
  }).pipe(shareReplay({ bufferSize: 1, refCount: true }));
}

/** The state of this moment. */
export async function stateNow(
  local: LocalProcess,
  peers: Peers | undefined,
  look: Look,
): Promise<InspectorState> {
  const answers = await askOnce(peers, look);
  return stateOf(local.report(look, local.newLists(), MAX_LISTED), look, answers, peers);
}

/** The last two minutes of the processes that are looked at. */
export async function samplesOf(
  local: LocalProcess,
  peers: Peers | undefined,
  look: Look,
): Promise<InspectorSamples> {
  const answers = await askOnce(peers, look, true);
  const own = look.process === '' || look.process === local.id ? [local.samples()] : [];
  return addedUp([
    ...own,
    ...chosen(answers.reports, look).flatMap(({ samples }) => samples ?? []),
  ]);
}

/** What the others answer in a moment. */
export async function askOnce(
  peers: Peers | undefined,
  look: Look,
  samples = false,
): Promise<PeerAnswers> {
  const answers = new PeerAnswers();
  if (peers === undefined) return answers;
  const view = peers.open(answers);
  await peers.ask(view, { look, counts: false, samples });
  await firstAnswers(answers);
  peers.close(view);
  return answers;
}

async function firstAnswers(answers: PeerAnswers): Promise<void> {
  for (let n = 0; n < MAX_WAITS && (n === 0 || answers.reports.length === 0); n++) {
    await delay(FIRST_ANSWERS_MS);
  }
}

function chosen(reports: readonly ProcessReport[], { process }: Look): readonly ProcessReport[] {
  return process === '' ? reports : reports.filter(({ id }) => id === process);
}

function stateOf(
  own: ProcessReport,
  look: Look,
  answers: PeerAnswers,
  peers: Peers | undefined,
): InspectorState {
  const at = Date.now();
  const shown = chosen([own, ...answers.reports], look);
  return {
    at,
    process: { id: own.id, pid: own.pid, host: own.host },
    isShared: peers !== undefined,
    processes: [processOf(own, at), ...answers.processes],
    connections: mergedConnections(
      shown.map(({ connections }) => connections),
      MAX_LISTED,
    ),
    rooms: mergedRooms(
      shown.map(({ rooms }) => rooms),
      MAX_LISTED,
    ),
    hubs: own.hubs,
    traffic: mergedTraffic(shown.map(({ traffic }) => traffic)),
    notes: mergedNotes(shown, at),
  };
}
