import type { Child } from '../child.ts'
import type { Ports } from '../services.ts'
import type { Tools } from '../tools.ts'

/** One way to get to the services. To add one, write it here and name it in `contenders.ts`. */
export interface Contender {
  readonly name: string
  /** What its legs are encrypted with. Like is compared with like: each security has a yardstick of its own. */
  readonly security: Security
  /** One word on why it cannot run on this machine, such as the program that is missing. */
  readonly missing?: string
  start(services: Ports, conditions: Conditions): Promise<Running>
}

/** `tls`: on both legs, from the developer's end to the middle and from there to the services' end. */
export type Security = 'plain' | 'tls'

export interface Conditions {
  /** Start its Node processes so that their memory can be measured exactly. */
  readonly probe?: boolean
  /**
   * Puts a link between the developer's end and the middle: resolves with the port to dial in place of `port`, which
   * the middle listens at. Absent: the developer's end dials the middle itself.
   */
  readonly link?: (port: number) => Promise<number>
}

/** Makes a contender out of what the machine has. */
export type MakeContender = (tools: Tools) => Contender

export interface Running extends Way {
  /** The processes on the way. */
  readonly processes: readonly Child[]
  stop(): Promise<void>
}

export interface Way {
  /** The near end of the way to each service that was given. */
  readonly ports: Ports
  /**
   * Kills the process in the middle, and starts it again at the same address `outageMs` after its end. Resolves with
   * the moment from which the new one accepts connections, in ms since 1970. Absent where no connection outlives that.
   */
  readonly restart?: (outageMs: number) => Promise<number>
}

/** Ends `processes`, near end first. */
export async function stopAll(processes: readonly Child[]): Promise<void> {
  await Promise.all(processes.map(child => child.stop()))
}

/** Starts something that leaves nothing behind when it fails half-way: `begin` registers each process it starts. */
export async function starting(begin: (processes: Child[]) => Promise<Way>): Promise<Running> {
  const processes: Child[] = []
  try {
    const way = await begin(processes)
    return { ...way, processes, stop: () => stopAll(processes) }
  } catch (error) {
    await stopAll(processes)
    throw error
  }
}
