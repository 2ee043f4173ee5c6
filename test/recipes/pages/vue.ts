import { createApp, h, ref } from 'vue';
import { useEventStream } from '../../../docs/recipes/vue/use-event-stream.js';

interface OrderEvents {
  created: { no: number };
}

const url = ref('/orders');

const app = createApp({
  setup() {
    const orders = ref<number[]>([]);
    const { state } = useEventStream<OrderEvents>(url, (event) => {
      if (event.type === 'created') orders.value.push(event.data.no);
    });
    return () => h('p', `${state.value}: ${orders.value.join(' ')}`);
  },
});
app.mount('#app');

export const recipe = {
  show: (to: string): void => void (url.value = to),
  unmount: (): void => app.unmount(),
};
Object.assign(globalThis, { recipe });
