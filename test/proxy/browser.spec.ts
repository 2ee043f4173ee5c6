// What a browser makes of the protocol that a proxy speaks to it.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { NEVER } from 'rxjs';
import { SseConnections, SseStream } from 'nestjs-eventstream';
import type { Browser } from 'playwright-core';
import { describeChromium, launchChromium } from '../browser/chromium.js';
import {
  describeProxy,
  documented,
  startProxyServer,
  stopAllProxies,
} from '../support/proxy-servers.js';
import { serve } from '../support/serve.js';
import { until } from '../support/until.js';

@Controller()
class Streams {
  @Get() page() {
    return '<!doctype html><title>A page</title>';
  }
  @SseStream('stream') stream() {
    return NEVER;
  }
}

describeChromium('Chromium', () => {
  describeProxy('nginx')('behind nginx', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchChromium();
    }, 30_000);
    afterAll(() => browser.close());
    afterEach(stopAllProxies);

    // feature: 98
    it('opens many streams to one site on HTTP/2', async () => {
      const { connections } = await openTen(documented('nginx'));
      await until('all are open', () => connections.count === 10);
      expect(connections.count).toBe(10);
    }, 30_000);

    // feature: 98
    it('opens six on HTTP/1.1, and then cannot even load a page', async () => {
      const site = documented('nginx').replace(' ssl http2', ' ssl');
      const { connections, context, url } = await openTen(site);
      await until('six are open', () => connections.count === 6);
      const tab = await context.newPage();
      await expect(tab.goto(url, { timeout: 1_000 })).rejects.toThrow('Timeout');
      expect(connections.count).toBe(6);
    }, 30_000);

    async function openTen(site: string) {
      const app = await serve(Streams);
      const { url } = await startProxyServer('nginx', { appPort: app.port, site });
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      const page = await context.newPage();
      await page.goto(url);
      await page.evaluate('for (let n = 0; n < 10; n++) new EventSource("/stream")');
      return { connections: app.nest.get(SseConnections), context, url };
    }
  });
});
