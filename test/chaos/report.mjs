// What a run has shown, as a table and as JSON.

/** So many faults of each kind are told in full. */
const SHOWN = 10;
/** How much of what went on around a loss is told with it. */
const AROUND = { beforeMs: 8_000, afterMs: 15_000 };

export function summarize({ options, world, schedule, stuck }) {
  const verdict = world.oracle.judge();
  const sum = (name) => world.clients.reduce((total, client) => total + client[name], 0);
  const processes = world.apps.map((app) => memoryOf(app, options));
  return {
    log: options.log,
    seed: options.seed,
    seconds: options.seconds,
    published: verdict.published,
    acknowledged: verdict.acknowledged,
    due: verdict.due,
    delivered: verdict.delivered,
    told: verdict.told,
    lostUntold: verdict.lost.length,
    doubled: verdict.doubled.length,
    doubledAfterLoss: verdict.excused,
    ephemeralAgain: verdict.ephemeralAgain,
    outOfOrder: verdict.disordered.length,
    foreign: verdict.foreign.length,
    stuck: stuck.length,
    returns: sum('returns'),
    refusals: sum('refusals'),
    gaps: countOf(world.clients.flatMap(({ gapReasons }) => gapReasons)),
    streamErrors: sum('errors'),
    failedPublishes: world.publishing.failures,
    died: world.apps.flatMap(({ name, deaths }) => deaths.map((death) => ({ name, ...death }))),
    refusedStarts: world.apps.reduce((total, { refusedStarts }) => total + refusedStarts, 0),
    processes,
    faults: schedule.counts,
    failedFaults: schedule.failed,
    examples: {
      lost: verdict.lost.slice(0, SHOWN).map((loss) => ({
        ...loss,
        saw: world.oracle.around(loss.client, loss.sentAt, AROUND),
        faults: faultsAround(schedule.history, loss.sentAt),
      })),
      doubled: verdict.doubled.slice(0, SHOWN),
      outOfOrder: verdict.disordered.slice(0, SHOWN),
      foreign: verdict.foreign.slice(0, SHOWN),
      stuck: stuck.slice(0, SHOWN),
    },
  };
}

function faultsAround(history, at) {
  return history
    .filter(({ from, to = from }) => to > at - AROUND.beforeMs && from < at + AROUND.afterMs)
    .map(({ kind, from, to }) => ({ kind, from: from - at, to: to - at }));
}

/** How often each is there. */
function countOf(names) {
  const counts = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function memoryOf({ name, peakMb, baselineMb = 0 }, { log, budgetMb }) {
  const budget = log === 'redis' ? budgetMb : baselineMb + budgetMb;
  const isWithin = peakMb <= budget;
  return { name, peakMb: Math.round(peakMb), budgetMb: Math.round(budget), isWithin };
}

/** Why this run has failed; nothing where it has not. */
export function failuresOf(summary) {
  const failures = [];
  const none = (count, what) => count > 0 && failures.push(`${count} ${what}`);
  none(summary.lostUntold, 'lost and untold');
  none(summary.doubled, 'doubled');
  none(summary.outOfOrder, 'out of order');
  none(summary.foreign, 'foreign or damaged');
  none(summary.stuck, 'stuck after the faults were over');
  none(summary.died.length, 'processes died by themselves');
  none(summary.processes.filter(({ isWithin }) => !isWithin).length, 'memory budgets broken');
  for (const [kind, count] of Object.entries(summary.faults)) {
    const failed = summary.failedFaults.filter((fault) => fault.kind === kind).length;
    if (failed === count) failures.push(`${kind} could not be done once`);
  }
  // Who tests nothing finds nothing.
  if (summary.due === 0) failures.push('no delivery was due');
  return failures;
}

export function tableOf(summary) {
  const rows = [
    ['published', summary.published],
    ['acknowledged', summary.acknowledged],
    ['deliveries due', summary.due],
    ['delivered', summary.delivered],
    ['told by sse-gap', summary.told],
    ['LOST UNTOLD', summary.lostUntold],
    ['DOUBLED', summary.doubled],
    ['  doubled because the log lost the key', summary.doubledAfterLoss],
    ['  ephemeral, again on another connection', summary.ephemeralAgain],
    ['OUT OF ORDER', summary.outOfOrder],
    ['FOREIGN OR DAMAGED', summary.foreign],
    ['STUCK', summary.stuck],
    ['DIED BY THEMSELVES', summary.died.length],
    ['returns of clients', summary.returns],
    ['refused connections', summary.refusals],
    ...Object.entries(summary.gaps).map(([reason, count]) => [`sse-gap ${reason}`, count]),
    ['sse-error and the like', summary.streamErrors],
    ['failed attempts to publish', summary.failedPublishes],
    ['starts refused without Redis', summary.refusedStarts],
    ...summary.processes.map(({ name, peakMb, budgetMb }) => [
      `peak RSS of ${name}`,
      `${peakMb} of ${budgetMb} MB`,
    ]),
    ...Object.entries(summary.faults)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([kind, count]) => [`fault ${kind}`, count]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
