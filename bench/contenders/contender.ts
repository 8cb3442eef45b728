import { type Certificate, certificate } from '../certificate.ts'
import type { Child } from '../child.ts'
import type { Ports } from '../services.ts'
import type { ToolName, Tools } from '../tools.ts'
import type { About } from './peers.ts'

/** One way to get to the services. To add one, write it here and name it in `contenders.ts`. */
export interface Contender {
  readonly name: string
  /** What its legs are encrypted with. Like is compared with like: each security has a yardstick of its own. */
  readonly security: Security
  /** What it is, for the reader of the report. */
  readonly about?: About
  /** What it is made of, beside Node. */
  readonly programs?: readonly ToolName[]
  /** When one end of a connection has said that it is done, what the other end still sends is lost. */
  readonly cutsHalfOpen?: true
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

/** Of a contender whose way is made of other programs. */
export type Facts = Omit<Contender, 'programs' | 'start'>

/** Starts a way, given the paths of its programs. */
export type Start<Name extends ToolName> = (
  paths: Readonly<Record<Name, string>>,
  services: Ports,
  conditions: Conditions,
  /** What its legs are to be encrypted with. */
  files?: Certificate,
) => Promise<Running>

/** A contender that needs programs: without one of them it is missing, and does not start. */
export const madeOf =
  <Name extends ToolName>(programs: readonly Name[], facts: Facts, start: Start<Name>): MakeContender =>
  tools => {
    const missing = facts.missing ?? programs.find(name => tools[name] === undefined)
    if (missing !== undefined)
      return { ...facts, programs, missing, start: () => Promise.reject(new Error(`no ${missing}`)) }
    const paths = Object.fromEntries(programs.map(name => [name, tools[name]?.path])) as Record<Name, string>
    return { ...facts, programs, start: (services, conditions) => start(paths, services, conditions) }
  }

/** The same contender without TLS and, named so, with it. The latter gets a certificate. */
export function twins<Name extends ToolName>(
  programs: readonly Name[],
  facts: Facts,
  start: Start<Name>,
): { readonly plain: MakeContender; readonly tls: MakeContender } {
  const secured: Facts = { ...facts, name: `${facts.name}-tls`, security: 'tls' }
  return {
    plain: madeOf(programs, facts, start),
    tls: madeOf([...programs, 'openssl'], secured, async (paths, services, conditions) =>
      start(paths, services, conditions, await certificate(paths.openssl)),
    ),
  }
}

/** What the developer dials where the first thing on the way is the middle itself. */
export async function linked(ports: Ports, link: Conditions['link']): Promise<Ports> {
  if (!link) return ports
  const entries = Object.entries(ports).map(async ([name, port]) => [name, await link(port)] as const)
  return Object.fromEntries(await Promise.all(entries))
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
