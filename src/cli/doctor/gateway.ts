/** The checks of `tunnelctl doctor` from the configuration to the gateway. */
import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { askGateway } from '../../carrier/ask.ts'
import { dialGateway, readCa } from '../../carrier/dial.ts'
import { explain, unreachable } from '../../carrier/refusal.ts'
import { systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { Link } from '../../mux/link.ts'
import { tokenIssuer } from '../../net/claims.ts'
import { formatDuration } from '../../net/duration.ts'
import { inspectToken } from '../../token/token.ts'
import { gatewayUrl } from '../options.ts'
import { formatMs } from '../output/units.ts'
import { software } from '../version.ts'
import { type Known, type Patient, TIMEOUT_MS } from './patient.ts'

/** More than this, and tokens are refused as expired, or as of the future. */
const MAX_CLOCK_OFFSET_MS = 60_000
const DAY_MS = 24 * 60 * 60_000

export async function configuration({ gateway: text }: Patient, known: Known): Promise<string> {
  known.url = gatewayUrl(text === undefined ? {} : { gateway: text })
  return `the gateway is ${known.url.href.replace(/\/$/, '')}`
}

export async function token(patient: Patient, known: Known): Promise<string> {
  known.token = await patient.token()
  const now = Date.now()
  const { claims, expired, expiresAt, problem } = inspectToken(known.token, now)
  // What an OIDC issuer has made, the rules of the gateway judge.
  const foreign = typeof claims.iss === 'string' && claims.iss !== tokenIssuer
  if (problem !== undefined && !foreign) {
    throw new TunnelError('TOKEN_FILE', `no gateway would take the token: ${problem}`)
  }
  if (claims.role !== 'connect' && !foreign) {
    throw new TunnelError('FORBIDDEN', `the token is for the role ${String(claims.role)}, and connect needs its own`)
  }
  if (expired && expiresAt !== undefined) {
    throw new TunnelError('UNAUTHENTICATED', `the token has expired ${formatDuration(now - expiresAt)} ago`, {
      hint: 'get a new token',
    })
  }
  const lifetime = expiresAt === undefined ? '' : `, good for ${formatDuration(expiresAt - now)}`
  if (foreign) return `for ${String(claims.email ?? claims.sub)}, from ${String(claims.iss)}${lifetime}`
  return `for ${String(claims.sub)}${lifetime}; allows ${listed(claims.allow)} at ${listed(claims.agents)}`
}

export async function proxy({ env }: Patient): Promise<string | undefined> {
  const set = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'].filter(
    variable => (env[variable] ?? '') !== '',
  )
  return set.length === 0 ? undefined : `${set.join(' and ')} set, and not used: tunnelctl dials the gateway itself`
}

export async function name(_: Patient, { url }: Known): Promise<string | undefined> {
  const host = hostOf(url)
  if (isIP(host) !== 0) return undefined
  try {
    const found = await lookup(host, { all: true })
    return `${host} is ${found.map(({ address }) => address).join(', ')}`
  } catch (thrown) {
    throw explain(url, thrown as NodeJS.ErrnoException)
  }
}

export async function network(_: Patient, { url }: Known): Promise<string> {
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

export async function tls({ caFile }: Patient, { url }: Known): Promise<string | undefined> {
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

export async function gateway(patient: Patient, { url, token: secret }: Known): Promise<string> {
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

export async function clock(patient: Patient): Promise<string | undefined> {
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
export async function webSocket({ signal, caFile }: Patient, { url, token: secret }: Known): Promise<string> {
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

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')
const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'wss:' ? 443 : 80)
const listed = (value: unknown): string => (Array.isArray(value) && value.length > 0 ? value.join(', ') : 'nothing')
