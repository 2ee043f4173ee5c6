import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { OpenMetricsContentType, Registry } from 'prom-client';

/**
 * The options of `SsePrometheusModule.forRoot()`.
 * @publicApi
 */
export interface SsePrometheusOptions {
  /**
   * The registry for the metrics.
   * @default `register`, the global one of prom-client
   */
  registry?: Registry | Registry<OpenMetricsContentType>;
  /**
   * A prefix of all metric names, before `sse_`. For several apps with one registry.
   * @default ''
   */
  prefix?: string;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SsePrometheusOptions>({ moduleName: 'SsePrometheus' })
    .setClassMethodName('forRoot')
    .build();
