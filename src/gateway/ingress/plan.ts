/** What is to be passed on, and by what means. */
import type { Clock } from '../../clock.ts'
import type { Target } from '../../net/target.ts'
import type { Connections } from './connections.ts'
import type { Patience } from './patience.ts'
import type { RequestRecord } from './record.ts'
import type { IngressTotals } from './totals.ts'

export interface Plan {
  readonly agent: string
  readonly target: Target
  readonly method: string
  readonly url: string
  /** Flat pairs, without framing. */
  readonly fields: readonly string[]
  readonly responseTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly record: RequestRecord
  /** Those of the answer to the client, out of those of the service's answer; both flat pairs. */
  readonly answerFields: (rawHeaders: readonly string[]) => string[]
}

export interface Exchanger {
  readonly clock: Clock
  readonly patience: Patience
  /** Streams that carry one request. */
  readonly fresh: Connections
  /** Streams that may carry several. */
  readonly kept: Connections
  readonly totals: IngressTotals
}

/** Of an answer; Node refuses one with more. */
export const MAX_HEADER_BYTES = 16 * 1024
