import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SseConnections, SseModule } from 'nestjs-eventstream';
import type { Browser, Page } from 'playwright-core';
import { firstValueFrom } from 'rxjs';
import { JobsModule } from '../../sample/04-llm-tokens/jobs.module.js';
import { Model } from '../../sample/04-llm-tokens/model.js';
import { servePageOf } from '../../sample/shared/serve-folders.js';
import { SteeredModel } from '../support/steered-model.js';
import { describeChromium, launchChromium } from './chromium.js';

const servePage = servePageOf(join(import.meta.dirname, '../../sample/04-llm-tokens'));

/** The sample as it is, but clients come back sooner. */
@Module({ imports: [SseModule.forRoot({ retry: 50 }), JobsModule] })
class QuickModule {}

describeChromium('LLM tokens in a browser', () => {
  let browser: Browser;
  let app: NestExpressApplication;
  let model: SteeredModel;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);

  afterAll(() => browser?.close());

  beforeEach(async () => {
    model = new SteeredModel();
    const builder = Test.createTestingModule({ imports: [QuickModule] });
    builder.overrideProvider(Model).useValue(model);
    const compiled = await builder.compile();
    app = compiled.createNestApplication<NestExpressApplication>({ logger: ['warn', 'error'] });
    servePage(app);
    await app.listen(0, 'localhost');
    complaints = [];
    page = await newPage();
  });

  afterEach(async () => {
    await page.close();
    await app.close();
  });

  it('says that the server took no question, and keeps it', async () => {
    await page.goto(address());
    await page.route('**/jobs', (route) => route.fulfill({ status: 503 }));
    await page.getByRole('textbox').fill('Anybody?');
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('textbox').inputValue()).toBe('Anybody?');
  }, 30_000);

  it('shows an answer that grows, and asks for nothing more after its end', async () => {
    await ask('What is an event stream?');
    model.say('It ', 'grows');
    await answer('It grows');
    expect(await page.locator('#prompt').textContent()).toBe('What is an event stream?');
    const last = page.waitForResponse((response) => response.status() === 204);
    model.finish();
    await page.getByText('This is the whole answer.').waitFor();
    await last;
    await page.waitForFunction(() => document.body.dataset['state'] === 'ended');
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.reload();
    await page.getByText('This is the whole answer.').waitFor();
    expect(requests.filter((url) => url.includes('/jobs'))).toEqual([]);
    await whole('It grows', '2 tokens received', 'Reloaded once.');
    expect(await page.locator('#state').textContent()).toBe('Ended');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('goes on in mid-answer after a reload, with exactly what it had not read', async () => {
    await ask('Reload?');
    model.say('one ', 'two ');
    await answer('one two ');
    const closed = firstValueFrom(app.get(SseConnections).closed$);
    await page.goto('about:blank');
    await closed;
    model.say('three ', 'four ');
    await page.goBack();
    await answer('one two three four ');
    model.say('five');
    model.finish();
    await whole('one two three four five', '5 tokens received', 'Reloaded once.');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('stops the job itself, also for a second tab, which shows the same', async () => {
    await ask('Stop?');
    model.say('some ');
    await answer('some ');
    const second = await newPage();
    await second.goto(page.url());
    await second.locator('#answer', { hasText: 'some' }).waitFor();
    model.say('more');
    await answer('some more');
    await second.locator('#answer', { hasText: /^some more$/ }).waitFor();
    await second.getByRole('button', { name: 'Stop', exact: true }).click();
    for (const tab of [page, second]) await tab.getByText('Stopped.').waitFor();
    expect(model.aborted).toBe(1);
    // Only the second tab came in the middle.
    const sentence = 'The first 5 characters came in one piece.';
    expect(await second.locator('#facts').textContent()).toContain(sentence);
    await second.close();
    await whole('some more', '2 tokens received');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('is asked by one of its examples, and says before what to try', async () => {
    await page.goto(address());
    expect(await page.locator('#result').isVisible()).toBe(false);
    expect(await page.locator('#state').isVisible()).toBe(false);
    for (const name of ['Reload', 'Stop']) {
      expect(await page.getByRole('button', { name }).last().getAttribute('aria-disabled')).toBe(
        'true',
      );
    }
    await page.locator('.examples button').first().click();
    await page.locator('#state[data-state=live]').waitFor();
    model.say('Reload ');
    await answer('Reload ');
    expect(await page.locator('#prompt').textContent()).toBe('What happens if I reload?');
    await page.getByRole('button', { name: 'Reload', exact: true }).click();
    await page.locator('#facts', { hasText: 'Reloaded once.' }).waitFor();
    model.say('now');
    model.finish();
    await whole('Reload now', '2 tokens received', 'Reloaded once.');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('is asked and stopped by keys alone', async () => {
    await page.goto(address());
    await page.getByRole('textbox').fill('Keys?');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#stop[aria-disabled=false]').waitFor();
    // Past Reload and the second tab.
    for (let tab = 1; tab <= 3; tab++) await page.keyboard.press('Tab');
    expect(await page.locator(':focus').textContent()).toBe('Stop');
    await page.keyboard.press('Enter');
    await page.getByText('Stopped.').waitFor();
    // The keyboard stays there, and what is longer than its frame can be scrolled.
    expect(await page.locator(':focus').textContent()).toBe('Stop');
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').getAttribute('id')).toBe('thread');
  }, 30_000);

  it('shows what a model said before it failed, and takes the next question', async () => {
    app.useLogger(false);
    await ask('Fail?');
    model.say('I will ');
    model.fail(new Error('out of tokens'));
    await page.getByText('The model failed').waitFor();
    await answer('I will ');
    await ask('Again?');
    model.say('Fine');
    model.finish();
    await whole('Fine', '1 token received');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('says that the server has forgotten a job', async () => {
    await page.goto(`${address()}#none`);
    await page.getByText('The server does not know this job any more.').waitFor();
    expect(complaints).toEqual([]);
  }, 30_000);

  it.each([
    [1280, 800],
    [390, 844],
  ])(
    'fits into a window of %d x %d',
    async (width, height) => {
      await page.setViewportSize({ width, height });
      await ask('Wide?');
      model.say('word '.repeat(600));
      await page.locator('#answer', { hasText: 'word' }).waitFor();
      const seen = await page.evaluate(() => {
        const { scrollWidth, scrollHeight } = document.documentElement;
        return { scrollWidth, scrollHeight };
      });
      expect(seen).toEqual({ scrollWidth: width, scrollHeight: height });
      expect(complaints).toEqual([]);
    },
    30_000,
  );

  const address = () => `http://localhost:${(app.getHttpServer().address() as AddressInfo).port}/`;

  async function newPage(): Promise<Page> {
    const made = await browser.newPage();
    made.on('pageerror', (error) => complaints.push(String(error)));
    await made.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`),
      );
    });
    made.on('console', (message) => {
      if (message.text().startsWith('CSP')) complaints.push(message.text());
    });
    return made;
  }

  async function ask(prompt: string): Promise<void> {
    if (page.url() === 'about:blank') await page.goto(address());
    await page.getByRole('textbox').fill(prompt);
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.locator('#state[data-state=live]').waitFor();
  }

  const answer = (text: string) =>
    page.waitForFunction(
      (wanted) => document.getElementById('answer')?.textContent === wanted,
      text,
    );

  /**
   * The answer is this, each of its tokens came once, and the page says so, and no more than this.
   */
  async function whole(text: string, tokens: string, ...more: string[]): Promise<void> {
    await answer(text);
    const facts = [`${tokens}: 0 missing, 0 duplicated.`, ...more].join(' ');
    expect(await page.locator('#facts').textContent()).toBe(facts);
    // The tab kept what it had: the answer so far was sent to it once, before the first token.
    const kept = await page.evaluate(() => sessionStorage.getItem('llm-job') ?? '{}');
    expect(JSON.parse(kept)).toMatchObject({ snapshots: 1 });
  }
});
