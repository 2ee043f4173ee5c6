import { connect } from 'nestjs-eventstream/client';
import { orders } from '../events.js';
import { start, takeEvent } from './live.js';

start((lastEventId) => {
  const stream = connect(orders, { baseUrl: '.', lastEventId });
  stream.subscribe(takeEvent);
  return stream;
});
