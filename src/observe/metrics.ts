/** Prometheus metrics. Counts are plain numbers on the objects that count; they are read when somebody scrapes. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'

export interface Metric {
  /** Without the prefix `tunnelctl_`; counters end in `_total`. */
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge'
  /** The current value; of a counter, the total since the start. */
  readonly read: () => number
}

export interface Scrape {
  readonly contentType: string
  readonly text: string
}

/** The library's own 10 ms would wake an idle process a hundred times a second. */
const EVENT_LOOP_PRECISION_MS = 100

/** The function that answers a scrape. Node's own metrics, the event loop's lag among them, are included. */
export function createMetrics(metrics: readonly Metric[]): () => Promise<Scrape> {
  const registry = new Registry()
  collectDefaultMetrics({
    register: registry,
    prefix: 'tunnelctl_',
    eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS,
  })
  for (const { name, help, kind, read } of metrics) {
    const shared = { name: `tunnelctl_${name}`, help, registers: [registry] }
    if (kind === 'gauge') {
      new Gauge({
        ...shared,
        collect() {
          this.set(read())
        },
      })
    } else {
      new Counter({
        ...shared,
        collect() {
          this.reset()
          this.inc(read())
        },
      })
    }
  }
  return async () => ({ contentType: registry.contentType, text: await registry.metrics() })
}
