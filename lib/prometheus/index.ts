/**
 * Metrics for Prometheus. Needs `prom-client`.
 * @module nestjs-eventstream/prometheus
 */

// for a module's `imports`
export { SsePrometheusModule } from './sse-prometheus.module.js';
export type { SsePrometheusOptions } from './prometheus.options.js';
