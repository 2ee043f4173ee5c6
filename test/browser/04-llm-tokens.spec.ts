import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SseConnections, SseModule } from 'nestjs-eventstream';
import { SseRunsModule } from 'nestjs-eventstream/runs';
import type { Browser, Page } from 'playwright-core';
import { firstValueFrom } from 'rxjs';
import { AnswersModule } from '../../sample/04-llm-tokens/answers.module.js';
import { Chats } from '../../sample/04-llm-tokens/chats.js';
import { CHAT_ANSWERS } from '../../sample/04-llm-tokens/known-answers.js';
import { Model } from '../../sample/04-llm-tokens/model.js';
import { servePage } from '../../sample/04-llm-tokens/page.js';
import { SteeredModel } from '../support/steered-model.js';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';

/** The sample as it is, but clients come back sooner. */
@Module({ imports: [SseModule.forRoot({ retry: 50 }), SseRunsModule.forRoot(), AnswersModule] })
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
    await page.route('**/answers', (route) => route.fulfill({ status: 503 }));
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
    expect(requests.filter((url) => url.includes('/answers'))).toEqual([]);
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

  it('stops the model itself, also for a second tab, which shows the same', async () => {
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
    // It came in the middle, and has got the beginning too.
    const facts = '2 tokens received: 0 missing, 0 duplicated.';
    expect(await second.locator('#facts').textContent()).toBe(facts);
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

  it('says that the server has forgotten an answer', async () => {
    await page.goto(`${address()}#none`);
    await page.getByText('The server does not know this answer any more.').waitFor();
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

  describe('with useChat', () => {
    it('shows the whole answer once after a reload in mid-answer, and goes on', async () => {
      await askChat('Reload?');
      model.say('one ', 'two ');
      await shows(page, 'Reload?', 'one two ');
      const closed = firstValueFrom(app.get(SseConnections).closed$);
      await page.goto('about:blank');
      await closed;
      model.say('three ');
      await page.goBack();
      await shows(page, 'Reload?', 'one two three ');
      expect(await page.locator('#state').textContent()).toBe('Live');
      model.say('four');
      model.finish();
      await isEnded(page);
      await shows(page, 'Reload?', 'one two three four');
      // It is stored, and the run is still kept.
      await until('it is stored', () => app.get(Chats).of(chatId()).length === 2);
      await page.reload();
      await isEnded(page);
      await shows(page, 'Reload?', 'one two three four');
      expect(model.asked).toBe(1);
      expect(complaints).toEqual([]);
    }, 30_000);

    it('stops the model from any tab, and goes on with the next question', async () => {
      await askChat('Stop?');
      model.say('so ', 'far');
      await shows(page, 'Stop?', 'so far');
      const second = await newPage();
      await second.goto(page.url());
      await shows(second, 'Stop?', 'so far');
      await second.getByRole('button', { name: 'Stop', exact: true }).click();
      for (const tab of [page, second]) await isEnded(tab);
      await until('the model has stopped', () => model.aborted === 1);
      await until('it is stored', () => app.get(Chats).of(chatId()).length === 2);
      for (const tab of [page, second]) {
        await tab.reload();
        await isEnded(tab);
        await shows(tab, 'Stop?', 'so far');
      }
      await second.close();
      await askChat('And now?');
      model.say('again');
      model.finish();
      await isEnded(page);
      await shows(page, 'Stop?', 'so far', 'And now?', 'again');
      expect([model.asked, model.aborted]).toEqual([2, 1]);
      expect(complaints).toEqual([]);
    }, 30_000);

    it('is asked by one of its examples, and by keys', async () => {
      await page.goto(chatAddress());
      const [first = ''] = Object.keys(CHAT_ANSWERS);
      await page.getByRole('button', { name: first }).click();
      model.say('Fine');
      model.finish();
      await isEnded(page);
      await shows(page, first, 'Fine');
      await page.getByRole('textbox').fill('Keys?');
      await page.keyboard.press('Enter');
      model.say('Fine, too');
      await shows(page, first, 'Fine', 'Keys?', 'Fine, too');
      // Past Ask, Reload and the second tab.
      for (let tab = 1; tab <= 4; tab++) await page.keyboard.press('Tab');
      expect(await page.locator(':focus').textContent()).toBe('Stop');
      await page.keyboard.press('Enter');
      await isEnded(page);
      await until('the model has stopped', () => model.aborted === 1);
      expect(complaints).toEqual([]);
    }, 30_000);

    it('reports a model that fails, with what it said before', async () => {
      app.useLogger(false);
      await askChat('Fail?');
      model.say('I will');
      await shows(page, 'Fail?', 'I will');
      model.fail(new Error('password=x'));
      await page.getByRole('alert').waitFor();
      expect(await page.getByRole('alert').textContent()).not.toContain('password');
      await shows(page, 'Fail?', 'I will');
    }, 30_000);

    it('says that an answer is running which an idle tab does not know of', async () => {
      await page.goto(chatAddress());
      await page.locator('#question').waitFor();
      const second = await newPage();
      await second.goto(page.url());
      await second.locator('#question').waitFor();
      await askChat('First?');
      model.say('one');
      await shows(page, 'First?', 'one');
      await second.getByRole('textbox').fill('Second?');
      await second.getByRole('button', { name: 'Ask', exact: true }).click();
      await second.getByRole('alert').getByText('has not ended').waitFor();
      await second.reload();
      await shows(second, 'First?', 'one');
      await second.close();
      expect(model.asked).toBe(1);
      expect(complaints).toEqual([]);
    }, 30_000);

    it('leads to the page without it, and back', async () => {
      await page.goto(address());
      await page.getByRole('link', { name: 'The same with useChat' }).click();
      await page.getByRole('heading', { name: 'Reload in the middle of a chat' }).waitFor();
      await page.getByRole('link', { name: 'The same without useChat' }).click();
      await page.getByRole('heading', { name: 'Reload in the middle of an answer' }).waitFor();
      expect(page.url()).toBe(address());
      expect(complaints).toEqual([]);
    }, 30_000);

    it.each([
      [1280, 800],
      [390, 844],
    ])(
      'fits into a window of %d x %d, and shows the newest words',
      async (width, height) => {
        await page.setViewportSize({ width, height });
        await askChat('Wide?');
        model.say('word '.repeat(600), 'last');
        await page.getByText('last').waitFor();
        const seen = await page.evaluate(() => {
          const { scrollWidth, scrollHeight } = document.documentElement;
          const { scrollTop, clientHeight, scrollHeight: all } = document.querySelector('.thread')!;
          return { scrollWidth, scrollHeight, below: Math.round(all - scrollTop - clientHeight) };
        });
        expect(seen).toEqual({ scrollWidth: width, scrollHeight: height, below: 0 });
        expect(complaints).toEqual([]);
      },
      30_000,
    );

    const chatAddress = () => `${address()}chat`;
    const chatId = () => new URL(page.url()).searchParams.get('id') ?? '';
    const isEnded = (tab: Page) => tab.locator('#state[data-state=ended]').waitFor();

    async function askChat(text: string): Promise<void> {
      if (page.url() === 'about:blank') await page.goto(chatAddress());
      await page.getByRole('textbox').fill(text);
      await page.getByRole('button', { name: 'Ask', exact: true }).click();
    }

    /** Questions and answers, and nothing else. */
    async function shows(tab: Page, ...texts: string[]): Promise<void> {
      await tab.waitForFunction(
        (wanted) =>
          [...document.querySelectorAll('.thread p')].map((one) => one.textContent).join('|') ===
          wanted,
        texts.join('|'),
      );
    }
  });

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
  }
});
