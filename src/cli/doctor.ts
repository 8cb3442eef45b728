/**
 * What `tunnelctl doctor` looks at, in the order in which a connection needs it: each check says in a few words what it found, or
 * throws the TunnelError that says what is wrong.
 */
import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { askGateway } from '../carrier/ask.ts'
import { dialGateway, parseGatewayUrl, readCa } from '../carrier/dial.ts'
import { explain, unreachable } from '../carrier/refusal.ts'
import { systemClock } from '../clock.ts'
import { Connect } from '../connect/connect.ts'
import type { ConnectEvent, ConnectSink } from '../connect/events.ts'
import { TunnelError } from '../errors.ts'
import { Link } from '../mux/link.ts'
import { formatDuration } from '../net/duration.ts'
import { formatTarget, type Target } from '../net/target.ts'
import { inspectToken } from '../token/token.ts'
import { formatMs } from './output/units.ts'
import { software } from './version.ts'

export interface Patient {
  readonly gateway: string | undefined
  readonly token: () => Promise<string>
  readonly caFile: string | undefined
  readonly agent: string | undefined
  readonly target: Target | undefined
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

export interface Finding {
  readonly name: string
  readonly found?: string
  readonly error?: TunnelError
  /** A check before it has failed, and this one needs it. */
  readonly skipped?: true
}

const TIMEOUT_MS = 10_000
/** More than this, and tokens are refused as expired, or as of the future. */
const MAX_CLOCK_OFFSET_MS = 60_000
const DAY_MS = 24 * 60 * 60_000

/** What the checks before have found out. */
interface Known {
  url: URL
  token: string
}

type Check = (patient: Patient, known: Known) => Promise<string | undefined>

/** Yields each finding as it is made; after the first that is wrong, the others are skipped. A check that does not apply yields nothing. */
export async function* examine(patient: Patient): AsyncGenerator<Finding> {
  const known: Known = { url: new URL('ws://unknown'), token: '' }
  let failed = false
  for (const [name, check] of checks) {
    if (failed) {
      yield { name, skipped: true }
      continue
    }
    try {
      const found = await check(patient, known)
      if (found !== undefined) yield { name, found }
    } catch (thrown) {
      if (!(thrown instanceof TunnelError)) throw thrown
      failed = true
      yield { name, error: thrown }
    }
  }
}

const checks: readonly (readonly [name: string, check: Check])[] = [
  ['configuration', configuration],
  ['token', token],
  ['proxy', proxy],
  ['name', name],
  ['network', network],
  ['TLS', tls],
  ['gateway', gateway],
  ['clock', clock],
  ['WebSocket', webSocket],
  ['agent', agentAndService],
]

async function configuration({ gateway: text }: Patient, known: Known): Promise<string> {
  if (text === undefined) {
    throw new TunnelError('USAGE', 'no gateway is set', {
      hint: 'give --gateway URL, set TUNNELCTL_GATEWAY, or keep one with: tunnelctl login --gateway URL',
    })
  }
  known.url = parseGatewayUrl(text)
  return `the gateway is ${known.url.href.replace(/\/$/, '')}`
}

async function token(patient: Patient, known: Known): Promise<string> {
  known.token = await patient.token()
  const now = Date.now()
  const { claims, expired, expiresAt, problem } = inspectToken(known.token, now)
  if (problem !== undefined) throw new TunnelError('TOKEN_FILE', `no gateway would take the token: ${problem}`)
  if (claims.role !== 'connect') {
    throw new TunnelError('FORBIDDEN', `the token is for the role ${String(claims.role)}, and connect needs its own`)
  }
  if (expired && expiresAt !== undefined) {
    throw new TunnelError('UNAUTHENTICATED', `the token has expired ${formatDuration(now - expiresAt)} ago`, {
      hint: 'get a new token',
    })
  }
  const lifetime = expiresAt === undefined ? '' : `, good for ${formatDuration(expiresAt - now)}`
  return `for ${String(claims.sub)}${lifetime}; allows ${listed(claims.allow)} at ${listed(claims.agents)}`
}

async function proxy({ env }: Patient): Promise<string | undefined> {
  const set = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'].filter(
    variable => (env[variable] ?? '') !== '',
  )
  return set.length === 0 ? undefined : `${set.join(' and ')} set, and not used: tunnelctl dials the gateway itself`
}

async function name(_: Patient, { url }: Known): Promise<string | undefined> {
  const host = hostOf(url)
  if (isIP(host) !== 0) return undefined
  try {
    const found = await lookup(host, { all: true })
    return `${host} is ${found.map(({ address }) => address).join(', ')}`
  } catch (thrown) {
    throw explain(url, thrown as NodeJS.ErrnoException)
  }
}

async function network(_: Patient, { url }: Known): Promise<string> {
  const since = systemClock.now()
  const socket = connectTcp({ host: hostOf(url), port: portOf(url), timeout: TIMEOUT_MS })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('timeout', () => reject(unreachable(url, `it did not answer within ${TIMEOUT_MS / 1000} s`)))
      socket.once('error', error => reject(explain(url, error)))
    })
    return `${url.host} accepts connections, after ${formatMs(systemClock.now() - since)}`
  } finally {
    socket.destroy()
  }
}

async function tls({ caFile }: Patient, { url }: Known): Promise<string | undefined> {
  if (url.protocol !== 'wss:') return undefined
  const host = hostOf(url)
  const ca = caFile === undefined ? {} : { ca: readCa(caFile) }
  const servername = isIP(host) === 0 ? { servername: host } : {}
  const socket = connectTls({ host, port: portOf(url), timeout: TIMEOUT_MS, ...servername, ...ca })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('timeout', () => reject(unreachable(url, `TLS took longer than ${TIMEOUT_MS / 1000} s`)))
      socket.once('error', error => reject(explain(url, error)))
    })
    const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / DAY_MS)
    return `${socket.getProtocol() ?? 'TLS'}, and the certificate is good for ${days} days`
  } finally {
    socket.destroy()
  }
}

/** Kept for the clock, which is read off the same answer. */
const answers = new WeakMap<Patient, number>()

async function gateway(patient: Patient, { url, token: secret }: Known): Promise<string> {
  const { signal, caFile } = patient
  const { body, date } = await askGateway({
    url,
    path: '/v1/services',
    token: secret,
    signal,
    ...(caFile !== undefined && { caFile }),
  })
  if (date !== undefined) answers.set(patient, date - Date.now())
  const { agents } = body as { agents?: readonly unknown[] }
  const count = Array.isArray(agents) ? agents.length : 0
  return `lets this token in; ${count === 1 ? 'one agent that it names is' : `${count} agents that it names are`} connected`
}

async function clock(patient: Patient): Promise<string | undefined> {
  const offsetMs = answers.get(patient)
  if (offsetMs === undefined) return undefined
  const seconds = Math.round(Math.abs(offsetMs) / 1000)
  if (Math.abs(offsetMs) <= MAX_CLOCK_OFFSET_MS) return `within ${Math.max(1, seconds)} s of the gateway's`
  const which = offsetMs > 0 ? 'behind' : 'ahead of'
  throw new TunnelError('UNAUTHENTICATED', `the clock of this machine is ${seconds} s ${which} the gateway's`, {
    hint: 'set the clock: tokens are refused when it is more than a minute off',
  })
}

/** Some proxies pass requests on and not upgrades. */
async function webSocket({ signal, caFile }: Patient, { url, token: secret }: Known): Promise<string> {
  const carrier = await dialGateway({
    url,
    role: 'connect',
    token: secret,
    clock: systemClock,
    signal,
    ...(caFile !== undefined && { caFile }),
  })
  const link = await Link.greet(carrier, { clock: systemClock, hello: { role: 'connect', software }, signal })
  link.close('examined')
  await link.ended
  return `${String(link.welcome.software)} greets`
}

/** As `connect` does it, with a local port that nobody else knows. */
async function agentAndService(patient: Patient, { url, token: secret }: Known): Promise<string> {
  const { caFile, agent, target } = patient
  const own = new AbortController()
  const signal = AbortSignal.any([patient.signal, own.signal])
  const events = new Events()
  const connect = new Connect({
    gateway: url.href,
    sink: events,
    ...(agent !== undefined && { agent }),
    software,
    dialGateway: stop =>
      dialGateway({
        url,
        role: 'connect',
        token: secret,
        clock: systemClock,
        signal: stop,
        ...(caFile !== undefined && { caFile }),
      }),
    clock: systemClock,
    wallNow: Date.now,
    random: Math.random,
    randomBytes,
    pingIntervalMs: 1_000,
    holdMs: TIMEOUT_MS,
  })
  const late = setTimeout(() => own.abort(), 2 * TIMEOUT_MS)
  let found = ''
  try {
    const forwards = target === undefined ? [] : [{ target, address: '127.0.0.1', port: 0 }]
    await connect.forward(forwards, signal, async ([forward]) => {
      const { agent: answering, ping } = connect.snapshot()
      const legs = ping.gatewayMs === undefined ? '' : `, ${formatMs(ping.gatewayMs)} of them to the gateway`
      found = `${answering} answers in ${ping.nowMs === undefined ? 'time' : formatMs(ping.nowMs)}${legs}`
      if (forward !== undefined && target !== undefined) {
        const port = Number(forward.locals[0]?.split(':').at(-1))
        found += `; ${await reached(target, port, events)}`
      }
      own.abort()
    })
    if (found === '') throw events.failure ?? new TunnelError('AGENT_SILENT', 'the agent did not answer in time')
    return found
  } finally {
    clearTimeout(late)
    own.abort()
  }
}

async function reached(target: Target, port: number, events: Events): Promise<string> {
  if (target.protocol === 'udp') return `${formatTarget(target)} is UDP, where nobody answers a dial`
  const since = systemClock.now()
  const socket = connectTcp({ host: '127.0.0.1', port })
  socket.on('error', () => {})
  try {
    await events.opened()
    return `${formatTarget(target)} accepts connections, after ${formatMs(systemClock.now() - since)}`
  } finally {
    socket.destroy()
  }
}

/** What `connect` tells, as far as it matters here. */
class Events implements ConnectSink {
  failure: TunnelError | undefined
  #settle: (failure?: TunnelError) => void = () => {}

  event(event: ConnectEvent): void {
    if (event.event === 'open') this.#settle()
    if (event.event !== 'error') return
    this.failure ??= new TunnelError(event.code, event.message, { hint: event.hint })
    this.#settle(this.failure)
  }

  /** Resolves when the service is reached. Throws why it is not. */
  opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = failure => (failure === undefined ? resolve() : reject(failure))
    })
  }
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')
const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'wss:' ? 443 : 80)
const listed = (value: unknown): string => (Array.isArray(value) && value.length > 0 ? value.join(', ') : 'nothing')
