import { find, make, openStream, post } from './shared/stream.js';

const SHOWN = 5;

let started = 0;

find('start').addEventListener('click', () => void start());
void start();

async function start() {
  const job = await post('jobs');
  if (job === undefined) return;
  const show = row((started += 1));
  openStream(`jobs/${job.id}`, { progress: ({ data }) => show(JSON.parse(data)) });
}

/** A row for a job. Answers what shows how far it is. */
function row(number) {
  const [entry, header] = [make('li'), make('header')];
  const [step, percent, bar] = [make('span', 'step'), make('span', 'percent'), make('progress')];
  bar.max = 100;
  bar.value = 0;
  bar.ariaLabel = `Job ${number}`;
  header.append(make('strong', '', `Job ${number}`), step, percent);
  entry.append(header, bar);
  find('jobs').prepend(entry);
  while (find('jobs').children.length > SHOWN) find('jobs').lastElementChild.remove();
  return (progress) => {
    step.textContent = progress.step;
    percent.textContent = `${progress.percent} %`;
    bar.value = progress.percent;
    entry.classList.toggle('done', progress.percent === 100);
  };
}
