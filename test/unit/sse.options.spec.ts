import { describe, expect, it } from '@jest/globals';
import { RequestMethod } from '@nestjs/common';
import { SSE_DEFAULTS, SseModule, SseStream } from 'nestjs-eventstream';
import { checkFeatures } from '../../lib/hub/hub.options.js';
import { checkModuleOptions, type SseModuleOptions } from '../../lib/nest/module.options.js';
import { checkStreamOptions, type SseStreamOptions } from '../../lib/connection/stream.options.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';

const anObject = 'expected an object';
const aPositiveInteger = 'expected a positive integer';
const aText = 'expected a non-empty string';
const aRetry = 'expected an integer of at least 0, or { minMs, maxMs } with minMs <= maxMs';

const aCompression = 'expected true, false or { level, windowBytes }';

/** The wrong values of the options that a module and a stream share. */
const WRONG: [string, unknown, string][] = [
  ['keepAlive', true, `keepAlive: ${anObject}, got true`],
  ['keepAlive', null, `keepAlive: ${anObject}, got null`],
  ['keepAlive', 15_000, `keepAlive: ${anObject}, got 15000`],
  ['keepAlive', { intervalMs: -1 }, `keepAlive.intervalMs: ${aPositiveInteger}, got -1`],
  ['keepAlive', { intervalMs: 0 }, `keepAlive.intervalMs: ${aPositiveInteger}, got 0`],
  ['keepAlive', { intervalMs: '5' }, `keepAlive.intervalMs: ${aPositiveInteger}, got "5"`],
  ['keepAlive', { interval: 5 }, 'keepAlive.interval: no such option; did you mean intervalMs?'],
  ['retry', -1, `retry: ${aRetry}, got -1`],
  ['retry', true, `retry: ${aRetry}, got true`],
  ['retry', { minMs: 2, maxMs: 1 }, `retry: ${aRetry}, got an object with minMs, maxMs`],
  ['flushMs', -1, 'flushMs: expected an integer of at least 0, got -1'],
  ['flushMs', 0.5, 'flushMs: expected an integer of at least 0, got 0.5'],
  ['headers', 'X-A: b', `headers: ${anObject}, got "X-A: b"`],
  ['headers', { 'X-A': 1 }, 'headers.X-A: expected a string, got 1'],
  [
    'headers',
    { 'content-type': 'text/plain' },
    'headers.content-type: expected text/event-stream, with or without a charset, got "text/plain"',
  ],
  [
    'headers',
    { 'Content-Length': '5' },
    'headers.Content-Length: expected this header to be left out, because the server frames the body, got "5"',
  ],
  [
    'headers',
    { 'bad header': 'x' },
    'headers.bad header: expected a valid name and value of an HTTP header, got "x"',
  ],
  [
    'headers',
    { 'X-A': 'a\nb' },
    'headers.X-A: expected a valid name and value of an HTTP header, got "a\\nb"',
  ],
  ['headers', ['X-A'], `headers: ${anObject}, got an array`],
  ['keepAlive', { intervalMs: 3e9 }, 'keepAlive.intervalMs: expected at most 2147483647 (24 days)'],
  ['compression', 'gzip', `compression: ${aCompression}, got "gzip"`],
  ['compression', null, `compression: ${aCompression}, got null`],
  ['compression', ['gzip'], `compression: ${aCompression}, got an array`],
  ['compression', { level: 0 }, 'compression.level: expected an integer from 1 to 9, got 0'],
  ['compression', { level: 10 }, 'compression.level: expected an integer from 1 to 9, got 10'],
  ['compression', { level: 1.5 }, 'compression.level: expected an integer from 1 to 9, got 1.5'],
  [
    'compression',
    { windowBytes: -1 },
    'compression.windowBytes: expected an integer from 0 to 32768, got -1',
  ],
  [
    'compression',
    { windowBytes: 32_769 },
    'compression.windowBytes: expected an integer from 0 to 32768, got 32769',
  ],
  [
    'compression',
    { encodings: ['br'] },
    'compression.encodings: no such option; expected one of level, windowBytes',
  ],
  ['serialize', 'json', 'serialize: expected a function, got "json"'],
  ['onError', {}, 'onError: expected a function, got an object with no keys'],
  ['keepAlive', { event: 'ping' }, 'keepAlive.event: expected an object, got "ping"'],
  ['keepAlive', { event: {} }, 'keepAlive.event: expected a type, or data, got an object'],
  ['keepAlive', { event: { type: 'a\nb' } }, 'keepAlive.event: type: '],
  ['keepAlive', { event: { data: 1n } }, 'keepAlive.event: data: '],
  [
    'keepAlive',
    { event: { event: 'ping' } },
    'keepAlive.event.event: no such option; expected one of type, data',
  ],
  ['controls', 'openai', `controls: ${anObject}, got "openai"`],
  [
    'controls',
    { gap: false },
    "controls.gap: a client must learn that it lost events; return a message of its protocol, or use 'end'",
  ],
  ['controls', { gap: 'skip' }, `controls.gap: expected a function, or 'end', got "skip"`],
  [
    'controls',
    { error: false },
    "controls.error: an error always ends the stream; use 'end' to end it without a message",
  ],
  ['controls', { end: 'end' }, 'controls.end: expected a function, or false, got "end"'],
  ['controls', { open: true }, 'controls.open: expected a function, or false, got true'],
  ['controls', { rooms: {} }, 'controls.rooms: expected a function, or false, got an object'],
  ['controls', { state: false }, 'controls.state: no such option; expected one of gap, error'],
  ['onComplete', 'stop', `onComplete: expected 'end' or 'close', got "stop"`],
  ['onComplete', false, `onComplete: expected 'end' or 'close', got false`],
  ['backpressure', false, `backpressure: ${anObject}, got false`],
  [
    'backpressure',
    { maxBufferedBytes: 0 },
    `backpressure.maxBufferedBytes: ${aPositiveInteger}, got 0`,
  ],
  [
    'backpressure',
    { stallTimeoutMs: 1.5 },
    `backpressure.stallTimeoutMs: ${aPositiveInteger}, got 1.5`,
  ],
];

describe('a wrong option', () => {
  // feature: 21
  it.each<[string, unknown, string]>([
    ...WRONG,
    [
      'shutdown',
      { timeoutMs: -1 },
      'shutdown.timeoutMs: expected an integer of at least 0, got -1',
    ],
    ['shutdown', 5_000, `shutdown: ${anObject}, got 5000`],
  ])('of the module, %s = %j, is told: %s', (name, value, message) => {
    expect(() => checkModuleOptions('', { [name]: value })).toThrow(message);
    expect(() => checkModuleOptions('', { [name]: value })).toThrow(
      expect.objectContaining({ code: 'SSE_OPTIONS', path: message.split(':', 1)[0] }),
    );
  });

  it.each<[string, unknown, string]>([
    ...WRONG,
    ['map', 'message', `map: ${anObject}, got "message"`],
    ['map', { data: 1 }, `map.data: ${aText}, got 1`],
    ['map', { type: '' }, `map.type: ${aText}, got ""`],
    ['map', { message: 'x' }, 'map.message: no such option; expected one of data, type, id, retry'],
  ])('of a stream, %s = %j, is told where it is decorated: %s', (name, value, message) => {
    expect(() => checkStreamOptions('', { [name]: value })).toThrow(message);
    expect(() => SseStream('x', { [name]: value })).toThrow(message);
  });

  it.each([checkModuleOptions, checkStreamOptions])(
    'is one of two that say what a client is told of an error',
    (check) => {
      const options = { onError: () => {}, controls: { error: 'end' } };
      expect(() => check('', options)).toThrow(
        'controls.error: onError is set too; set one of the two',
      );
      expect(() => check('', { ...options, controls: { end: false } })).not.toThrow();
    },
  );

  it.each<[unknown, string]>([
    [{}, `forFeature[1].name: ${aText}, got undefined`],
    [undefined, `forFeature[1]: ${anObject}, got undefined`],
    [{ name: '' }, `forFeature[1].name: ${aText}, got ""`],
    [{ name: 'b', serialize: 1 }, 'forFeature[1].serialize: expected a function, got 1'],
    [null, `forFeature[1]: ${anObject}, got null`],
    ['orders', `forFeature[1]: ${anObject}, got "orders"`],
  ])('of a feature, %j, is told at once: %s', (feature, message) => {
    expect(() => checkFeatures([{ name: 'a' }, feature])).toThrow(message);
    expect(() => SseModule.forFeature([{ name: 'a' }, feature as { name: string }])).toThrow(
      message,
    );
  });

  it.each<[string, (path: string, value: unknown) => void, string, string]>([
    ['the module', checkModuleOptions, 'keepalive', 'keepAlive'],
    ['the module', checkModuleOptions, 'loge', 'log'],
    ['a stream', checkStreamOptions, 'onerror', 'onError'],
    ['a stream', checkStreamOptions, 'maxDuration', 'maxDurationMs'],
    ['a stream', checkStreamOptions, 'onCompleted', 'onComplete'],
  ])('with a misspelt name is told for %s, with the nearest name', (_title, check, name, meant) => {
    expect(() => check('', { [name]: {} })).toThrow(
      `${name}: no such option; did you mean ${meant}?`,
    );
  });

  it.each<[string, (path: string, value: unknown) => void]>([
    ['method', checkModuleOptions],
    ['map', checkModuleOptions],
    ['shutdown', checkStreamOptions],
  ])('is one in the wrong place as well: %s', (name, check) => {
    expect(() => check('', { [name]: undefined })).toThrow(
      `${name}: no such option; expected one of `,
    );
  });
});

describe('right options', () => {
  const full: SseModuleOptions = {
    keepAlive: { intervalMs: 1 },
    retry: { minMs: 0, maxMs: 1 },
    headers: { 'X-A': 'b' },
    serialize: String,
    onError: () => undefined,
    onComplete: 'close',
    backpressure: { maxBufferedBytes: 1, stallTimeoutMs: false },
  };

  it.each<[string, (path: string, value: unknown) => void, object]>([
    ['none for the module', checkModuleOptions, {}],
    ['all for the module', checkModuleOptions, { ...full, shutdown: { timeoutMs: 0 } }],
    ['the defaults', checkModuleOptions, SSE_DEFAULTS],
    ['everything off', checkModuleOptions, { keepAlive: false, retry: false }],
    ['everything undefined', checkModuleOptions, { keepAlive: undefined, retry: undefined }],
    [
      'all for a stream',
      checkStreamOptions,
      { ...full, method: RequestMethod.POST, map: { data: 'a', type: 'b', id: 'c', retry: 'd' } },
    ],
  ])('pass: %s', (_title, check, options) => {
    expect(() => check('', options)).not.toThrow();
  });
});

describe('the defaults', () => {
  // feature: 103
  it('are those of the manual', () => {
    expect(SSE_DEFAULTS).toMatchObject({
      keepAlive: { intervalMs: 15_000 },
      retry: { minMs: 2_000, maxMs: 5_000 },
      onComplete: 'end',
      backpressure: { maxBufferedBytes: 1_048_576, stallTimeoutMs: 15_000 },
      shutdown: { timeoutMs: 5_000 },
    });
  });

  it('are frozen, all the way down', () => {
    const open: string[] = [];
    const visit = (path: string, value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) open.push(path);
      for (const [key, inner] of Object.entries(value)) visit(`${path}.${key}`, inner);
    };
    visit('SSE_DEFAULTS', SSE_DEFAULTS);
    expect(open).toEqual([]);
  });

  it('apply where nothing is set', () => {
    expect(streamSettings({})).toMatchObject({
      keepAliveMs: 15_000,
      retry: { minMs: 2_000, maxMs: 5_000 },
      headers: {},
      serialize: undefined,
      map: undefined,
      onError: undefined,
      onComplete: 'end',
      maxBufferedBytes: 1_048_576,
      stallTimeoutMs: 15_000,
    });
  });
});

describe('the settings of a stream', () => {
  const onError = (): undefined => undefined;

  // feature: 28
  it.each<[string, SseModuleOptions, SseStreamOptions, object]>([
    ["take the module's options", { onComplete: 'close' }, {}, { onComplete: 'close' }],
    [
      "prefer the stream's",
      { onComplete: 'close', onError },
      { onComplete: 'end' },
      { onComplete: 'end', onError },
    ],
    [
      'do not let undefined win',
      { onComplete: 'close', retry: 5, serialize: String, onError },
      { onComplete: undefined, retry: undefined, serialize: undefined, onError: undefined },
      { onComplete: 'close', retry: { minMs: 5, maxMs: 5 }, serialize: String, onError },
    ],
    [
      'do not let an undefined option of the module win over a default',
      { keepAlive: undefined, retry: undefined, onComplete: undefined, backpressure: undefined },
      {},
      { keepAliveMs: 15_000, onComplete: 'end', maxBufferedBytes: 1_048_576 },
    ],
    [
      'do not let a nested undefined win',
      {
        keepAlive: { intervalMs: undefined },
        backpressure: { maxBufferedBytes: 9, stallTimeoutMs: undefined },
      },
      { backpressure: { maxBufferedBytes: undefined } },
      { keepAliveMs: 15_000, maxBufferedBytes: 9, stallTimeoutMs: 15_000 },
    ],
    [
      'merge what is nested',
      { backpressure: { maxBufferedBytes: 9, stallTimeoutMs: 8 } },
      { backpressure: { stallTimeoutMs: 7 } },
      { maxBufferedBytes: 9, stallTimeoutMs: 7 },
    ],
    [
      'merge headers by name',
      { headers: { 'X-A': '1', 'X-B': '1' } },
      { headers: { 'X-B': '2', 'X-C': '2' } },
      { headers: { 'X-A': '1', 'X-B': '2', 'X-C': '2' } },
    ],
    [
      'take the interval of the module where the stream leaves it open',
      { keepAlive: { intervalMs: 9 } },
      { keepAlive: {} },
      { keepAliveMs: 9 },
    ],
    [
      'can switch keep-alives on where the module has them off',
      { keepAlive: false },
      { keepAlive: {} },
      { keepAliveMs: 15_000 },
    ],
    ['can switch them off', {}, { keepAlive: false }, { keepAliveMs: undefined }],
    [
      'know no time-out where it is off',
      {},
      { backpressure: { stallTimeoutMs: false } },
      { stallTimeoutMs: undefined },
    ],
    ['know no retry where it is off', { retry: 5 }, { retry: false }, { retry: undefined }],
    ['can be told to retry at once', {}, { retry: 0 }, { retry: { minMs: 0, maxMs: 0 } }],
    [
      'replace a range as a whole',
      { retry: { minMs: 1, maxMs: 2 } },
      { retry: { minMs: 3, maxMs: 4 } },
      { retry: { minMs: 3, maxMs: 4 } },
    ],
    ['compress nothing by default', {}, {}, { compression: undefined }],
    [
      'compress with the defaults',
      { compression: true },
      {},
      { compression: { settings: { level: 6, windowBytes: 4_096 } } },
    ],
    [
      'merge what they say about compression',
      { compression: { level: 3, windowBytes: undefined } },
      { compression: { windowBytes: 0 } },
      { compression: { settings: { level: 3, windowBytes: 0 } } },
    ],
    [
      'can switch compression on, as the module sets it',
      { compression: { level: 3 } },
      { compression: true },
      { compression: { settings: { level: 3, windowBytes: 4_096 } } },
    ],
    [
      'can switch compression off',
      { compression: { level: 3 } },
      { compression: false },
      { compression: undefined },
    ],
    ['have a map of the stream alone', {}, { map: { data: 'x' } }, { map: { data: 'x' } }],
  ])('%s', (_title, module, stream, settings) => {
    expect(streamSettings(module, stream)).toMatchObject(settings);
  });

  it('are made without changing the options', () => {
    const module = Object.freeze({ headers: Object.freeze({ a: '1' }) });
    const stream = Object.freeze({ headers: Object.freeze({ b: '2' }), retry: 5 });
    streamSettings(module, stream);
    expect([module, stream]).toEqual([{ headers: { a: '1' } }, { headers: { b: '2' }, retry: 5 }]);
  });
});
