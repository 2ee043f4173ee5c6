import { find, fromTemplate, make } from './shared/elements.js';
import { openStream } from './shared/stream.js';

/** Part of the orders sample, and of the cluster. */
const INSPECTOR = 'sse-inspector/';
const GUARD = 'files/sample/shared/from-here.guard.ts';

openStream('samples', { samples: ({ data }) => show(JSON.parse(data)) });

function show({ samples, cluster }) {
  for (const sample of samples) {
    const card = cardOf(sample.name);
    if (card === null) showRow(sample);
    else showCard(card, sample);
  }
  const orders = samples.find(({ name }) => name === '02-orders');
  showCluster(cardOf('03-cluster'), cluster, orders);
  // That of the cluster sees three processes, and nothing of the other samples.
  showInspector(cardOf('inspector'), cluster.port ?? orders?.port);
}

function showCard(card, { name, port, figure, guide }) {
  link(card, urlOf(port));
  if (figure !== undefined) showFigure(card, figure);
  showMore(card, [
    ['Source', `files/sample/${name}`],
    ...(guide ? [[guide.title, `files/${guide.href}`]] : []),
  ]);
}

function showCluster(card, { canRun, port }, orders) {
  if (port !== undefined) {
    link(card, urlOf(port));
    showFigure(card, '3 processes and a Redis are running');
  } else if (canRun) {
    card.querySelector('.figure').textContent = 'Starting …';
  }
  const guide = orders && ['Redis and many processes', 'files/docs/guide/many-processes.md'];
  showMore(card, [['Source', 'files/sample/03-cluster'], ...(guide ? [guide] : [])]);
}

function showInspector(card, port) {
  if (port !== undefined) link(card, urlOf(port) + INSPECTOR);
  showMore(card, [
    ['Its guard', GUARD],
    ['Inspector', 'files/docs/guide/inspector.md'],
  ]);
}

function showRow({ name, number, title, about, port, streams }) {
  const row = find(name) ?? rowOf(name);
  row.querySelector('.number').textContent = String(number).padStart(2, '0');
  row.querySelector('strong').textContent = title;
  row.querySelector('.about').textContent = about;
  row.querySelector('.streams').textContent = streams === 0 ? '' : `${streams} open`;
  row.querySelector('.open').href = urlOf(port);
  row.querySelector('.source').href = `files/sample/${name}`;
  row.querySelector('.source').setAttribute('aria-label', `Source of ${title}`);
}

function rowOf(name) {
  const row = fromTemplate('row');
  row.id = name;
  find('small').append(row);
  return row;
}

const cardOf = (name) => document.querySelector(`[data-sample="${name}"]`);

const urlOf = (port) => `${location.protocol}//${location.hostname}:${port}/`;

function link(card, href) {
  for (const open of card.querySelectorAll('.open')) open.href = href;
}

function showFigure(card, text) {
  const figure = card.querySelector('.figure');
  figure.textContent = text;
  figure.dataset.live = '';
}

/** Once: a link that somebody is about to press stays where it is. */
function showMore(card, links) {
  const more = card.querySelector('.more');
  if (more.children.length > 0) return;
  for (const [text, href] of links) {
    const element = make('a', '', text);
    element.href = href;
    more.append(element);
  }
}
