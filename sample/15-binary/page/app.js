import { find, openStream } from './shared/stream.js';

let generation = 0;

openStream('life', { message: ({ data }) => show(data) });

function show(base64) {
  find('picture').src = `data:image/png;base64,${base64}`;
  find('bytes').textContent = atob(base64).length;
  find('generation').textContent = generation += 1;
}
