/** Gateway, agent and connect in the test's own process, over real sockets: for what a test must see inside of them. */
import { randomBytes } from 'node:crypto'
import { Agent } from '../../src/agent/agent.ts'
import { Catalogue, parseCatalogueEntry } from '../../src/agent/catalogue.ts'
import { Dialer } from '../../src/agent/dialer.ts'
import { Policy } from '../../src/agent/policy.ts'
import { Resolver } from '../../src/agent/resolver.ts'
import type { Carrier } from '../../src/carrier/carrier.ts'
import { dialGateway } from '../../src/carrier/dial.ts'
import { systemClock } from '../../src/clock.ts'
import { Connect } from '../../src/connect/connect.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { parseForward } from '../../src/net/target.ts'
import { nullLog } from '../../src/observe/log.ts'
import { authenticator, claims, forge } from '../gateway/forge.ts'
import type { Scope } from './tunnel.ts'

export interface InProcess {
  /** Local port of the forward. */
  readonly port: number
  /** Carriers of connect, the newest last. */
  readonly carriers: readonly Carrier[]
}

/** Forwards to the service at this port of loopback. */
export async function startInProcess(scope: Scope, servicePort: number): Promise<InProcess> {
  const stopper = new AbortController()
  const { signal } = stopper
  const common = { software: 'test', clock: systemClock, wallNow: Date.now, random: Math.random }
  const gateway = new Gateway({
    ...common,
    listen: { host: '127.0.0.1', port: 0 },
    authenticator,
    drainTimeoutMs: 0,
    log: nullLog,
  })
  let serving: Promise<void> = Promise.resolve()
  const address = await new Promise<string>(resolve => {
    serving = gateway.run(signal, ({ url: at }) => resolve(at))
  })
  const carriers: Carrier[] = []
  const dialler = (role: 'agent' | 'connect', changes: object) => async (stop: AbortSignal) => {
    const token = forge({ ...claims, role, sub: role, ...changes })
    const carrier = await dialGateway({ url: new URL(address), role, token, clock: systemClock, signal: stop })
    if (role === 'connect') carriers.push(carrier)
    return carrier
  }
  const catalogue = new Catalogue([parseCatalogueEntry(`api/prod:8080=127.0.0.1:${servicePort}`)])
  const resolver = new Resolver({ clusterDomain: 'cluster.local', servers: [] })
  const agent = new Agent({
    ...common,
    name: 'home',
    instance: 'one',
    dialGateway: dialler('agent', { allow: [] }),
    dialer: new Dialer({ catalogue, resolver, policy: new Policy({ allow: [], deny: [] }) }),
    log: nullLog,
    drainTimeoutMs: 0,
  })
  const connect = new Connect({
    ...common,
    gateway: address,
    agent: 'home',
    dialGateway: dialler('connect', {}),
    randomBytes,
    pingIntervalMs: 20_000,
    holdMs: 30_000,
    sink: { event: () => {} },
  })
  const agentEnded = agent.run(signal)
  while (!agent.registered) await new Promise(resolve => setImmediate(resolve))
  let connectEnded: Promise<void> = Promise.resolve()
  const local = await new Promise<string>((resolve, reject) => {
    const forward = parseForward('127.0.0.1:0:api/prod:8080')
    connectEnded = connect.forward([forward], signal, ([only]) => resolve(only?.locals[0] ?? ''))
    connectEnded.catch(reject)
  })
  scope.after(async () => {
    stopper.abort()
    await Promise.all([serving, agentEnded, connectEnded])
  })
  return { port: Number(local.split(':').at(-1)), carriers }
}
