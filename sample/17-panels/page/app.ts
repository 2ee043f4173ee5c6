import type { RoomState } from 'nestjs-eventstream/client';
import { connectTabs } from 'nestjs-eventstream/client/tabs';
import { find, fromTemplate } from '../../shared/page/elements.js';
import { showState } from '../../shared/page/state.js';
import { MACHINES, READERS, type MachineState, type ReadersState } from '../events.js';

const [WIDTH, HEIGHT] = [100, 40];
const STATES = {
  connecting: 'connecting',
  open: 'live',
  waiting: 'reconnecting',
  closed: 'refused',
} as const;

/** Names this tab. The request is made with the headers of the tab that makes it. */
const tab = Math.random().toString(36).slice(2, 6);
const stream = connectTabs('panels', { headers: { 'x-tab': tab } });

/** The panels that are open in this tab. */
const opened = new Set<string>(MACHINES);

find('tab').textContent = tab;
stream.onState((state) => showState(STATES[state]));
const readers = stream.stateOf<ReadersState>(READERS);
void follow(readers, showReaders);
for (const machine of MACHINES) addPanel(machine);
void join(...MACHINES);

function showReaders(): void {
  const connections = readers.get('connections') ?? [];
  const tabs = connections.map((one) => one.tab);
  const isHere = tabs.includes(tab);
  find('leader').textContent = isHere ? 'this tab' : `tab ${tabs[0] ?? '–'}`;
  find('leader').dataset['here'] = String(isHere);
  find('connections').textContent = String(connections.length);
  find('rooms').textContent = connections.map(({ rooms }) => rooms).join(' + ') || '0';
}

/** A machine is a room of the stream while its panel is open in any tab. */
function addPanel(machine: string): void {
  const panel = fromTemplate('panel');
  const part = (name: string): Element => panel.querySelector(name)!;
  const room = stream.stateOf<MachineState>(machine);

  const draw = (): void => {
    const isOpen = opened.has(machine);
    const loads = (isOpen && room.get('loads')) || [];
    panel.dataset['open'] = String(isOpen);
    part('button').textContent = isOpen ? 'Close' : 'Open';
    part('button').ariaLabel = `${isOpen ? 'Close' : 'Open'} ${machine}`;
    part('.load').textContent = loads.length > 0 ? `${loads.at(-1)} %` : isOpen ? '–' : 'closed';
    part('polyline').setAttribute('points', pointsOf(loads));
  };
  part('h2').textContent = machine;
  part('button').addEventListener('click', () => {
    if (opened.delete(machine)) void stream.leave(machine);
    else void join(machine);
    draw();
  });
  find('panels').append(panel);
  draw();
  void follow(room, draw);
}

async function follow({ changes }: Pick<RoomState, 'changes'>, draw: () => void): Promise<void> {
  try {
    for await (const _ of changes) draw();
  } catch {
    // The stream was refused: the state of the page says so.
  }
}

async function join(...machines: string[]): Promise<void> {
  for (const machine of machines) opened.add(machine);
  const problem = find('problem');
  try {
    await stream.join(...machines);
    problem.hidden = true;
  } catch (error) {
    // A panel that was closed in the meantime is no problem.
    problem.hidden = machines.some((machine) => !opened.has(machine));
    problem.textContent = String(error);
  }
}

function pointsOf(loads: readonly number[]): string {
  const step = WIDTH / Math.max(1, loads.length - 1);
  const y = (load: number): number => HEIGHT - 2 - (load / 100) * (HEIGHT - 4);
  return loads.map((load, n) => `${(n * step).toFixed(1)},${y(load).toFixed(1)}`).join(' ');
}
