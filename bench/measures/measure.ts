import type { Security } from '../contenders/contender.ts'
import type { Load } from '../load.ts'
import type { Ports, ServiceName } from '../services.ts'
import type { ToolName, Tools } from '../tools.ts'

/** What tunnelctl is to reach: a ratio to the yardstick, or a value in the unit of the figure. */
export type Aim = { readonly ratio: number } | { readonly value: number }

/** By the security of the contender: like is compared with like. */
export type Aims = { readonly [security in Security]?: Aim }

/** The same aim whatever the security. */
export const always = (aim: Aim): Aims => ({ plain: aim, tls: aim })

/** One number of a measure. */
export interface Figure {
  /** Stable, for the JSON. */
  readonly id: string
  readonly label: string
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly aims?: Aims
}

/** Something that is measured through every contender. To add one, write it here and name it in `measures.ts`. */
export interface Measure {
  readonly service: ServiceName
  /** The program that makes the load; without it the measure is skipped. */
  readonly tool?: ToolName
  readonly figures: readonly Figure[]
  /** Processor time of each process for what was done; its unit is seconds for `Taken.done`. */
  readonly cost?: Figure
  /**
   * One round.
   * @param port where the contender leads to the service
   * @throws when anything failed or came back wrong: a wrong answer is no measurement
   */
  run(port: number, bench: Bench): Promise<Taken>
}

export interface Taken {
  /** In the order of `figures`. */
  readonly values: readonly number[]
  /** How much the contender has done for them, in the unit of `cost`. */
  readonly done?: number
}

export interface Bench {
  readonly load: Load
  /** Another process, for what goes on beside the work of `load`. */
  readonly other: Load
  readonly tools: Tools
  /** Without a contender. */
  readonly services: Ports
  /** How long a measure lasts. */
  readonly seconds: number
  /** Where the contender leads to the services. */
  readonly ports: Ports
}

/** For tools that know whole seconds only. */
export const wholeSeconds = (bench: Bench): number => Math.max(1, Math.round(bench.seconds))

/** What a measure of fixed length takes its times by: 1, and less in a run that is meant to be short. */
export const paceOf = ({ seconds }: Pick<Bench, 'seconds'>): number => Math.min(1, seconds / 2)
