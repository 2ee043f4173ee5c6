import { listen } from '../../../docs/recipes/tabs/shared-stream.js';

interface OrderEvents {
  created: { no: number };
}

const app = document.querySelector('#app')!;
const orders: number[] = [];
const states: string[] = [];

export const recipe = {
  states,
  leave: listen<OrderEvents>((event) => {
    if (event.type === 'stream-state') states.push(`${event.data.state} ${event.data.status}`);
    if (event.type === 'created') orders.push(event.data.no);
    app.textContent = orders.join(' ');
  }),
};
Object.assign(globalThis, { recipe });
