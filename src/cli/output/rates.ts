/** How fast bytes go up and down each forward, from the differences between draws. */
import type { ForwardSnapshot } from '../../connect/events.ts'

/** Rates are taken over this much of the past: long enough to be calm, short enough to be now. */
const windowMs = 2000

export interface Rate {
  /** Bytes per second. */
  readonly up: number
  readonly down: number
}

interface Sample {
  readonly atMs: number
  readonly up: number
  readonly down: number
}

const still: Rate = { up: 0, down: 0 }

export class Rates {
  readonly #samples = new Map<string, Sample[]>()

  /** The rate of each forward at `nowMs`, in the order given. Every call is a sample; the first one knows no rate. */
  sample(nowMs: number, forwards: readonly ForwardSnapshot[]): Rate[] {
    const seen = new Set<string>()
    const rates = forwards.map(({ local, target, bytesUp, bytesDown }) => {
      const key = `${local} ${target}`
      seen.add(key)
      return this.#take(key, { atMs: nowMs, up: bytesUp, down: bytesDown })
    })
    for (const key of this.#samples.keys()) if (!seen.has(key)) this.#samples.delete(key)
    return rates
  }

  #take(key: string, now: Sample): Rate {
    const samples = this.#samples.get(key) ?? []
    this.#samples.set(key, samples)
    // Keeps one sample that is at least a window old: the difference to it covers the whole window.
    while (samples[1] !== undefined && samples[1].atMs <= now.atMs - windowMs) samples.shift()
    samples.push(now)
    const [oldest = now] = samples
    const seconds = (now.atMs - oldest.atMs) / 1000
    if (seconds <= 0) return still
    return { up: Math.max(0, now.up - oldest.up) / seconds, down: Math.max(0, now.down - oldest.down) / seconds }
  }
}
