/**
 * `GET /metrics`: what the status tells as numbers, in the text format of Prometheus.
 *
 * Promises: one list of what there is (`metric-list.ts`), read anew from the status for each answer, so that the two never
 * tell different things; what is not known has no sample. docs/metrics.md lists each, and a test holds it to this.
 */
import type { Hono } from 'hono'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type DurationCounts, durationBounds } from '../store/durations.ts'
import { type Metric, metrics } from './metric-list.ts'
import type { GatewayStatus } from './status.ts'

export function metricsRoutes(app: Hono, base: string, status: () => GatewayStatus): void {
  // Where Prometheus looks by itself, and beside the others for the command.
  for (const path of ['/metrics', `${base}/metrics`])
    app.get(path, async () => {
      const text = await metricsText(status())
      return new Response(text, { headers: { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE } })
    })
}

export function metricsText(status: GatewayStatus): Promise<string> {
  const registry = new Registry()
  for (const metric of metrics) register(registry, metric, status)
  return registry.metrics()
}

function register(registry: Registry, metric: Metric, status: GatewayStatus): void {
  const { name, help, labels = [] } = metric
  const options = { name, help, labelNames: [...labels], registers: [registry] }
  if (metric.kind === 'histogram') {
    registry.registerMetric(new TakenHistogram({ ...options, registers: [] }, metric.read(status)))
    return
  }
  const samples = metric.read(status).flatMap(([value, by]) => (typeof value === 'number' ? [{ value, by }] : []))
  if (metric.kind === 'gauge') {
    const gauge = new Gauge(options)
    if (labels.length === 0) gauge.remove()
    for (const { value, by } of samples) gauge.set(by ?? {}, value)
  } else {
    const counter = new Counter(options)
    if (labels.length === 0) counter.remove()
    for (const { value, by } of samples) counter.inc(by ?? {}, value)
  }
}

/** A histogram that somebody else has counted. */
class TakenHistogram extends Histogram {
  readonly #counts: DurationCounts | undefined
  readonly #head: { readonly name: string; readonly help: string }

  constructor(options: ConstructorParameters<typeof Histogram>[0], counts: DurationCounts | undefined) {
    super(options)
    this.#head = { name: options.name, help: options.help }
    this.#counts = counts
  }

  /** What the registry of prom-client asks for. */
  async getForPromString(): Promise<object> {
    const counts = this.#counts
    const { name } = this.#head
    const values = counts && [
      ...durationBounds.map((le, index) => ({
        metricName: `${name}_bucket`,
        labels: { le },
        value: counts.within[index] ?? 0,
      })),
      { metricName: `${name}_bucket`, labels: { le: '+Inf' }, value: counts.count },
      { metricName: `${name}_sum`, labels: {}, value: counts.seconds },
      { metricName: `${name}_count`, labels: {}, value: counts.count },
    ]
    return { ...this.#head, type: 'histogram', values: values ?? [] }
  }
}
