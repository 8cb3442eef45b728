/**
 * The load of the scale measure: many clients, each with a few streams to the echo service, over which messages go
 * steadily. Opens all of them, says so, and answers each message, a `Spell`, with what happened meanwhile.
 */
import type { Duplex } from 'node:stream'
import { quantile } from '../statistics.ts'
import { openClient } from './clients.ts'

export interface Swarm {
  readonly gateway: string
  /** Taken in turn by those who use the same agent. */
  readonly tokens: readonly string[]
  /** Taken in turn by the clients. */
  readonly agents: readonly string[]
  readonly target: object
  readonly clients: number
  readonly streams: number
}

export interface Spell {
  readonly seconds: number
  /** Of one client, over all its streams. */
  readonly messagesPerSecond: number
}

export interface Swarmed {
  /** Echoes that came, per second. */
  readonly perSecond: number
  /** Milliseconds from the moment at which the message was due. */
  readonly p50: number
  readonly p99: number
  /** Messages that were not sent because the one before, on the same stream, had not come back. */
  readonly left: number
  /** Carriers, sessions and streams that ended since the start. */
  readonly lost: number
  readonly why?: string
}

const message = Buffer.alloc(64, 'tunnelctl ')
const atOnce = 50
const tickMs = 5

/** One stream and the message that is under way on it. */
interface Line {
  readonly stream: Duplex
  /** Of the message under way, the moment at which it was due; undefined when there is none. */
  due: number | undefined
  received: number
}

const swarm = JSON.parse(process.argv[2] ?? '') as Swarm
/** In the order in which they take turns: the first of every client, then the second. */
const lines: Line[] = []
let times: number[] = []
let left = 0
let lost = 0
let why: string | undefined

const isLost = (reason: string) => {
  lost++
  why ??= reason
}

async function openAll(): Promise<void> {
  const byClient: Line[][] = []
  for (let from = 0; from < swarm.clients; from += atOnce) {
    const count = Math.min(atOnce, swarm.clients - from)
    byClient.push(...(await Promise.all(Array.from({ length: count }, (_, index) => openOne(from + index)))))
  }
  for (let turn = 0; turn < swarm.streams; turn++) lines.push(...byClient.flatMap(its => its[turn] ?? []))
}

/** Resolves when an echo came back over each of its streams. */
async function openOne(index: number): Promise<Line[]> {
  const { gateway, target, streams, agents, tokens } = swarm
  const agent = agents[index % agents.length] ?? ''
  const token = tokens[Math.floor(index / agents.length) % tokens.length] ?? ''
  const opened = await openClient({ gateway, token, agent, target, streams, lost: isLost })
  return await Promise.all(opened.map(firstEcho))
}

function firstEcho(stream: Duplex): Promise<Line> {
  const line: Line = { stream, due: performance.now(), received: 0 }
  return new Promise((resolve, reject) => {
    stream.on('data', ({ length }: Buffer) => {
      line.received += length
      if (line.received < message.length || line.due === undefined) return
      times.push(performance.now() - line.due)
      line.received = 0
      line.due = undefined
      resolve(line)
    })
    stream.on('close', () => {
      isLost('a stream has ended')
      reject(new Error(why))
    })
    stream.write(message)
  })
}

/** Sends what is due, and a tenth of the time more before it counts. What is due between two ticks is due at the later. */
function run({ seconds, messagesPerSecond }: Spell): Promise<Swarmed> {
  const perMs = (swarm.clients * messagesPerSecond) / 1000
  const dueMs = (index: number) => Math.ceil(index / perMs / tickMs) * tickMs
  const warmUpMs = seconds * 100
  const start = performance.now()
  let sent = 0
  let counting = false
  return new Promise(resolve => {
    const timer = setInterval(() => {
      const passed = performance.now() - start
      if (!counting && passed >= warmUpMs) {
        counting = true
        times = []
        left = 0
      }
      for (; dueMs(sent) <= passed; sent++) send(lines[sent % lines.length], start + dueMs(sent))
      if (passed < warmUpMs + seconds * 1000) return
      clearInterval(timer)
      const perSecond = times.length / ((passed - warmUpMs) / 1000)
      const latency =
        times.length === 0 ? { p50: 0, p99: 0 } : { p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
      resolve({ perSecond, ...latency, left, lost, ...(why !== undefined && { why }) })
    }, tickMs)
  })
}

function send(line: Line | undefined, due: number): void {
  if (line === undefined) return
  if (line.due !== undefined) {
    left++
    return
  }
  line.due = due
  line.stream.write(message)
}

process.on('disconnect', () => process.exit())
process.on('message', async (spell: Spell) => process.send?.(await run(spell)))
openAll().then(
  () => process.send?.({ opened: swarm.clients }),
  (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
)
