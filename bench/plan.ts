/** What a run of the bench is to measure. */
import type { Contender } from './contenders/contender.ts'
import type { Measure } from './measures/measure.ts'
import type { Tools } from './tools.ts'

/** In the order of the report. */
export const partNames = ['standard', 'resume', 'memory', 'start', 'fairness', 'idle', 'wan', 'scale'] as const

export type PartName = (typeof partNames)[number]

/** What takes no more than a few minutes. */
export const usualParts: readonly PartName[] = ['standard', 'resume', 'memory', 'start']

export interface Plan {
  readonly contenders: readonly Contender[]
  readonly parts: ReadonlySet<PartName>
  /** Those of the standard part. */
  readonly measures: readonly Measure[]
  readonly tools: Tools
  readonly rounds: number
  /** Of what takes long: fairness and links. */
  readonly longRounds: number
  readonly seconds: number
  /** Idle connections for the memory; half as many for the processor time; 0 leaves both out. */
  readonly idle: number
  /** Restarts of the gateway for the resume gap; 0 leaves it out. */
  readonly restarts: number
  /** Of the scale measure. */
  readonly clients: number
  /** Bytes of the verified transfer; 0 leaves it out. */
  readonly verifyBytes: number
  /** Told what goes on. */
  readonly say: (text: string) => void
}
