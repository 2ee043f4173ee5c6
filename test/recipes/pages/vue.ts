import { createApp, h, ref } from 'vue';
import { useEventStream } from '../../../docs/recipes/vue/use-event-stream.js';

interface OrderEvents {
  created: { no: number };
}

const url = ref('/orders');

const Orders = {
  setup() {
    const orders = ref<(number | string)[]>([]);
    const status = useEventStream<OrderEvents>(url, (event) => {
      if (event.type === 'created') orders.value.push(event.data.no);
      if (event.type === 'sse-gap') orders.value.push('gap');
    });
    return () => h('span', `${status.value.state}: ${orders.value.join(' ')};`);
  },
};
const app = createApp({ setup: () => () => [h(Orders), h(Orders)] });
app.mount('#app');

export const recipe = {
  show: (to: string): void => void (url.value = to),
  unmount: (): void => app.unmount(),
};
Object.assign(globalThis, { recipe });
