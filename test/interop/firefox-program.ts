import { launchFirefox } from '../support/firefox.js';
import { eventSourceScript, type Heard, type Program } from './program.js';

/** How often a page is asked what it has heard. */
const ASK_MS = 20;

export async function startFirefox(file: string): Promise<Program> {
  const firefox = await launchFirefox(file);
  return {
    name: 'Firefox',
    async open(url) {
      const heard: Heard[] = [];
      let over = false;
      const tab = await firefox.open();
      // Any page of the same origin, also one that says 404.
      await tab.goto(new URL('/page', url).href);
      await tab.evaluate(`(() => {
        globalThis.heard = [];
        globalThis.over = false;
        const hear = (event) => globalThis.heard.push(event);
        const end = () => (globalThis.over = true);
        ${eventSourceScript(url)}
      })()`);
      const ask = async (): Promise<void> => {
        const news = await tab.evaluate<{ heard: Heard[]; over: boolean }>(
          '({ heard: globalThis.heard.splice(0), over: globalThis.over })',
        );
        heard.push(...news.heard);
        over = news.over;
      };
      let asking = Promise.resolve();
      const timer = setInterval(() => {
        asking = asking.then(ask).catch(() => {});
      }, ASK_MS);
      const close = async (): Promise<void> => {
        clearInterval(timer);
        await asking;
        await tab.close();
      };
      return { heard, isOver: () => over, close };
    },
    close: () => firefox.close(),
  };
}
