import { find, make, openStream, post } from './shared/stream.js';

let source;

find('interrupt').addEventListener('click', () => void post('messages/interrupt'));
find('again').addEventListener('click', begin);
begin();

function begin() {
  source?.close();
  find('messages').replaceChildren();
  let last = '';
  const opened = (source = openStream('messages', {
    message: ({ data, lastEventId }) => {
      last = lastEventId;
      add('', make('span', 'id code', lastEventId), data);
    },
  }));
  source.addEventListener('error', () => {
    const isComingBack = opened.readyState === EventSource.CONNECTING;
    if (isComingBack && document.body.dataset.state !== 'ended') {
      add('cut', `Interrupted; the browser asks for what follows ${last}`);
    }
  });
}

function add(className, ...content) {
  const entry = make('li', className);
  entry.append(...content);
  find('messages').append(entry);
}
