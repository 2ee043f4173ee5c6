import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { OpenMetricsContentType, Registry } from 'prom-client';

/**
 * The options of `SsePrometheusModule.forRoot()`.
 * @publicApi
 */
export interface SsePrometheusOptions {
  /**
   * Where the metrics are registered.
   * @default prom-client's own, `register`
   */
  registry?: Registry | Registry<OpenMetricsContentType>;
  /**
   * What the names of all metrics begin with, before `sse_`: for several apps with one registry.
   * @default ''
   */
  prefix?: string;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SsePrometheusOptions>({ moduleName: 'SsePrometheus' })
    .setClassMethodName('forRoot')
    .build();
