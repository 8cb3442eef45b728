/** Plays the exchange once, with carriers that are cut at chosen messages, and looks at what is left in the end. */
import { TunnelError } from '../../src/errors.ts'
import { FrameType, walkFrames } from '../../src/wire/frame.ts'
import { Kind, kindOf } from '../../src/wire/message.ts'
import { settled } from '../support/clock.ts'
import { World } from '../support/world.ts'
import type { Counts, Cut } from './cut.ts'
import { CutNetwork } from './cut-network.ts'
import { Exchange } from './exchange.ts'
import { Redial } from './redial.ts'

/** Two cuts, two black holes among them, and all that has to happen after them. */
const AT_MOST_MS = 120_000
/** Longer than the agent keeps a session without a carrier. */
const TTL_MS = 11 * 60_000

export interface Run {
  /** What was not as it should be. */
  readonly failure: string | undefined
  /** Messages after the last cut. */
  readonly counts: Counts
  /** False when one of the cuts found no message to strike. */
  readonly struck: boolean
}

/** @param log gets a line for each message; leave it out where nobody reads it */
export async function runWithCuts(cuts: readonly Cut[], log?: string[]): Promise<Run> {
  let failure: string | undefined
  let ending = false
  const fail = (message: string) => {
    failure ??= `${world.clock.now()} ms: ${message}`
  }
  const world = new World({ acceptor: { onOpen: (stream, open) => exchange.serve(stream, open) } })
  const { clock, acceptor } = world
  const initiator = world.initiator({
    onDetached: () => ends.detached(),
    onClosed: error => {
      if (!ending) fail(`the session ended: ${error.code} ${error.message}`)
    },
  })
  const { session } = initiator
  const exchange = new Exchange(clock, target => session.open(target))
  const network = new CutNetwork(world, cuts, (lane, message, fate) => {
    log?.push(`${clock.now()} ms: ${lane} ${describe(message)} ${fate}`)
  })
  const ends = new Redial(world, initiator, role => network.dial(role))

  const until = async (done: () => boolean) => {
    const end = clock.now() + AT_MOST_MS
    while (failure === undefined && !done()) {
      await settled()
      exchange.step()
      if (!clock.turn() && !clock.fire(end)) break
    }
    if (!done()) fail(exchange.wrong ?? 'the end of the exchange did not come')
  }

  ends.start()
  // One session, two routes: what was lost or given up on the way is forgotten.
  const calm = () => session.state === 'live' && session.keptBytes === 0
  await until(() => exchange.done && calm() && acceptor.sessions === 1 && world.gateway.legs === 2)
  if (exchange.wrong !== undefined) fail(exchange.wrong)
  if (session.streams.size > 0) fail(`the client holds ${session.streams.size} streams`)
  if (acceptor.streams > 0) fail(`the agent holds ${acceptor.streams} streams`)
  if (world.gateway.overloads > 0) fail('the gateway was overloaded')

  ending = true
  session.close(new TunnelError('SESSION_CLOSED', 'done'), true)
  await clock.advance(1_000)
  if (cuts.length === 0 && acceptor.sessions > 0) fail('the agent was not told of the end')
  ends.stop()
  await clock.advance(TTL_MS)
  if (ends.running > 0) fail(`${ends.running} ends still run`)
  if (acceptor.sessions > 0) fail(`the agent holds ${acceptor.sessions} sessions`)
  const { hops, registry } = world.gateway.relay
  if (hops.size > 0) fail(`the gateway holds ${hops.size} carriers`)
  if (registry.size > 0) fail('the gateway holds an agent')
  for (const hop of world.gateway.hops) if (hop.heldLegs > 0) fail(`the gateway holds ${hop.heldLegs} routes`)
  if (clock.timers > 0) fail(`${clock.timers} timers are left`)
  return { failure, counts: network.counts, struck: network.left === 0 }
}

const nameOf = (names: Record<string, number>, value: number): string =>
  Object.keys(names).find(name => names[name] === value) ?? String(value)

/** `BATCH 3 (OPEN 1, DATA 1)` */
function describe(message: Buffer): string {
  const kind = kindOf(message)
  if (kind !== Kind.BATCH) return nameOf(Kind, kind)
  const frames: string[] = []
  walkFrames(message, (type, stream) => frames.push(`${nameOf(FrameType, type)} ${stream}`))
  return `BATCH ${message.readUIntBE(6, 6)} (${frames.join(', ')})`
}
