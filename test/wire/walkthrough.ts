/**
 * The session of docs/protocol.md, "A session, message by message", played by the real ends and the real relay over
 * carriers in memory. Only the keys, the clock and what the application does are given.
 */
import assert from 'node:assert/strict'
import type { Carrier } from '../../src/carrier/carrier.ts'
import { type MemoryLink, memoryLink } from '../../src/carrier/memory.ts'
import { TunnelError } from '../../src/errors.ts'
import type { Hop } from '../../src/gateway/hop.ts'
import type { Principal } from '../../src/gateway/principal.ts'
import { Reception } from '../../src/gateway/reception.ts'
import { Acceptor } from '../../src/mux/acceptor.ts'
import { Initiator } from '../../src/mux/initiator.ts'
import { Link } from '../../src/mux/link.ts'
import type { Stream } from '../../src/mux/stream.ts'
import { parsePattern } from '../../src/net/pattern.ts'
import { nullLog } from '../../src/observe/log.ts'
import { Verdict } from '../../src/wire/frame.ts'
import { HOP_ROUTE, routeOf } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'

export interface Step {
  readonly from: 'connect' | 'gateway' | 'agent'
  readonly to: 'connect' | 'gateway' | 'agent'
  readonly message: Buffer
}

const software = 'tunnelctl/0.1.0'
const target = { service: 'db', namespace: 'prod', port: 5432, protocol: 'tcp' }
const alice: Principal = {
  role: 'connect',
  subject: 'alice',
  agents: ['home'],
  allow: [parsePattern('db/prod:5432')],
  expiresAt: Number.MAX_SAFE_INTEGER,
  tokenId: 'a',
}
/** What the agent's process calls itself. */
const INSTANCE = '9f2c41d07be35a18'
const home: Principal = { ...alice, role: 'agent', subject: 'cluster', allow: [], tokenId: 'b' }

/** Every message in the order in which it was sent; what the gateway only passes on is listed once. */
export async function playSession(key: Buffer, sessionId: Buffer): Promise<Step[]> {
  const clock = new VirtualClock()
  const steps: Step[] = []
  const reception = new Reception({ software, clock, wallNow: () => 0, log: nullLog })
  const served: Stream[] = []
  const acceptor = new Acceptor({
    clock,
    agent: 'home',
    instance: INSTANCE,
    onOpen(stream, open) {
      served.push(stream)
      if (open.verdict !== Verdict.ALLOWED)
        return stream.reset(new TunnelError('DENIED', 'the token does not allow it'))
      stream.accept(5432)
      stream.resume()
    },
  })

  const join = async (principal: Principal): Promise<{ link: Link; cable: MemoryLink; hop: Hop }> => {
    const { role } = principal
    const cable = memoryLink({ clock })
    const near = recorded(cable.a, message => steps.push({ from: role, to: 'gateway', message }))
    const far = recorded(cable.b, message => {
      const passedOn = steps.some(step => step.message.subarray(4).equals(message.subarray(4)))
      if (routeOf(message) === HOP_ROUTE || !passedOn) steps.push({ from: 'gateway', to: role, message })
    })
    const hop = reception.greet(far, principal)
    const greeting = Link.greet(near, {
      clock,
      hello: { role, software, ...(role === 'agent' && { instance: INSTANCE }) },
      onAttach: (link, route, message) => acceptor.attach(link, route, message),
    })
    await clock.runUntilIdle()
    return { link: await greeting, cable, hop }
  }

  const agent = await join(home)
  // Eight sessions came before this one, so that the two hops number the route differently.
  for (let route = 1; route <= 8; route++) agent.hop.removeLeg(agent.hop.openLeg())
  const first = await join(alice)
  const secrets = [sessionId, key]
  const initiator = new Initiator({ agent: 'home', clock, randomBytes: () => secrets.shift() ?? Buffer.alloc(0) })
  void initiator.attach(first.link)
  await clock.runUntilIdle()

  const stream = initiator.session.open(target)
  stream.write('hello')
  await clock.advance(25)
  assert.equal(served.length, 1)

  // The connect end is cut off while the answer is under way.
  first.cable.blackhole()
  served[0]?.end(Buffer.from([0x00, 0xff, 0x0d, 0x0a]))
  await clock.runUntilIdle()
  first.cable.cut()
  await clock.runUntilIdle()

  const second = await join(alice)
  void initiator.attach(second.link)
  await clock.runUntilIdle()
  assert.deepEqual(stream.read(), Buffer.from([0x00, 0xff, 0x0d, 0x0a]))
  stream.end()
  await clock.advance(25)

  initiator.session.open({ ...target, port: 'postgres' })
  await clock.advance(25)
  assert.equal(initiator.session.streams.size, 0)
  initiator.close(new TunnelError('SESSION_CLOSED', 'connect has ended'))
  await clock.runUntilIdle()
  assert.equal(acceptor.sessions, 0)
  return steps
}

function recorded(carrier: Carrier, sent: (message: Buffer) => void): Carrier {
  return {
    get bufferedBytes() {
      return carrier.bufferedBytes
    },
    get sentBytes() {
      return carrier.sentBytes
    },
    heartbeatMs: undefined,
    pongs: 0,
    probe() {},
    hold(): void {},
    send(message) {
      sent(Buffer.from(message))
      carrier.send(message)
    },
    pass(message) {
      this.send(message)
    },
    close: (code, reason) => carrier.close(code, reason),
    terminate: () => carrier.terminate(),
    start: handler => carrier.start(handler),
  }
}
