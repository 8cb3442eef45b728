import type { Child } from '../child.ts'
import type { Ports } from '../services.ts'
import type { Tools } from '../tools.ts'

/** One way to get to the services. To add one, write it here and name it in `contenders.ts`. */
export interface Contender {
  readonly name: string
  /** One word on why it cannot run on this machine, such as the program that is missing. */
  readonly missing?: string
  /** @param probe start its Node processes so that their memory can be measured exactly */
  start(services: Ports, probe: boolean): Promise<Running>
}

/** Makes a contender out of what the machine has. */
export type MakeContender = (tools: Tools) => Contender

export interface Running {
  /** The near end of the way to each service that was given. */
  readonly ports: Ports
  /** The processes on the way. */
  readonly processes: readonly Child[]
  stop(): Promise<void>
}

/** Ends `processes`, near end first. */
export async function stopAll(processes: readonly Child[]): Promise<void> {
  await Promise.all(processes.map(child => child.stop()))
}

/** Starts something that leaves nothing behind when it fails half-way: `begin` registers each process it starts. */
export async function starting(begin: (processes: Child[]) => Promise<Ports>): Promise<Running> {
  const processes: Child[] = []
  try {
    const ports = await begin(processes)
    return { ports, processes, stop: () => stopAll(processes) }
  } catch (error) {
    await stopAll(processes)
    throw error
  }
}
