import type { Load } from '../load.ts'
import type { ServiceName } from '../services.ts'
import type { ToolName, Tools } from '../tools.ts'

/** One number of a measure. */
export interface Figure {
  /** Stable, for the JSON. */
  readonly id: string
  readonly label: string
  readonly unit: string
  readonly better: 'more' | 'less'
  /** What tunnelctl aims at, as a ratio to the yardstick. */
  readonly aim?: number
}

/** Something that is measured through every contender. To add one, write it here and name it in `measures.ts`. */
export interface Measure {
  readonly service: ServiceName
  /** The program that makes the load; without it the measure is skipped. */
  readonly tool?: ToolName
  readonly figures: readonly Figure[]
  /**
   * One round.
   * @param port where the contender leads to the service
   * @returns the values, in the order of `figures`
   * @throws when anything failed or came back wrong: a wrong answer is no measurement
   */
  run(port: number, bench: Bench): Promise<readonly number[]>
}

export interface Bench {
  readonly load: Load
  readonly tools: Tools
  /** How long a measure lasts. */
  readonly seconds: number
}

/** For tools that know whole seconds only. */
export const wholeSeconds = (bench: Bench): number => Math.max(1, Math.round(bench.seconds))
