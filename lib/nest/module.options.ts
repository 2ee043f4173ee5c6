import { ConfigurableModuleBuilder } from '@nestjs/common';
import {
  CONNECTIONS_DEFAULTS,
  CONNECTIONS_RULES,
  type ConnectionsOptions,
} from '../connection/connections.options.js';
import { checkErrorWords } from '../connection/controls.options.js';
import { STREAM_DEFAULTS, STREAM_RULES, type StreamOptions } from '../connection/stream.options.js';
import { HUBS_RULES, type HubsOptions } from '../hub/hub.options.js';
import { HISTORY_DEFAULTS } from '../log/history.options.js';
import { STATE_DEFAULTS } from '../log/state.options.js';
import * as rules from '../options/rules.js';

/**
 * The options of `SseModule.forRoot()`.
 * @publicApi
 */
export interface SseModuleOptions extends StreamOptions, ConnectionsOptions, HubsOptions {}

/**
 * The class for `useClass` or `useExisting` of `SseModule.forRootAsync()`.
 * @publicApi
 */
export interface SseOptionsFactory {
  /** Returns the options. Called once, at start-up. */
  createSseOptions(): SseModuleOptions | Promise<SseModuleOptions>;
}

/**
 * The defaults of all options that have one.
 * @publicApi
 */
export const SSE_DEFAULTS = Object.freeze({
  ...STREAM_DEFAULTS,
  ...CONNECTIONS_DEFAULTS,
  history: HISTORY_DEFAULTS,
  state: STATE_DEFAULTS,
} as const);

/** @throws SseOptionsError */
export const checkModuleOptions = rules.each(
  rules.required(
    rules.object({
      ...STREAM_RULES,
      ...HUBS_RULES,
      ...CONNECTIONS_RULES,
      // Nest removes it before this check. The rule is for options that misspell or misplace it.
      isGlobal: rules.rule(
        'it next to useFactory, not in the options that useFactory returns',
        () => false,
      ),
    }),
  ),
  checkErrorWords,
);

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SseModuleOptions>({ moduleName: 'Sse' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSseOptions')
    .setExtras({ isGlobal: true }, (module, { isGlobal }) => ({ ...module, global: isGlobal }))
    .build();
