/** The checks of `tunnelctl doctor` from the configuration to the gateway. */
import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { trust } from '../../carrier/approach.ts'
import { askGateway } from '../../carrier/ask.ts'
import { nameOf, readClientCertificate } from '../../carrier/client-certificate.ts'
import { dialGateway } from '../../carrier/dial.ts'
import { explain, unreachable } from '../../carrier/refusal.ts'
import { systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { Link } from '../../mux/link.ts'
import { tokenIssuer } from '../../net/claims.ts'
import { formatDuration } from '../../net/duration.ts'
import type { PairFiles } from '../../net/pem.ts'
import { inspectToken } from '../../token/token.ts'
import { formatMs } from '../output/units.ts'
import { proxyFor } from '../proxy.ts'
import { software } from '../version.ts'
import { type Known, type Patient, TIMEOUT_MS } from './patient.ts'

/** More than this, and tokens are refused as expired, or as of the future. */
const MAX_CLOCK_OFFSET_MS = 60_000
const DAY_MS = 24 * 60 * 60_000

export async function configuration(patient: Patient, known: Known): Promise<string> {
  known.address = await patient.address()
  return `the gateway is ${known.address.url.href.replace(/\/$/, '')}`
}

export async function token(patient: Patient, known: Known): Promise<string | undefined> {
  known.token = await patient.token()
  const { certificate } = known.address
  if (known.token === undefined) return certificate === undefined ? undefined : await byCertificate(certificate)
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

async function byCertificate(files: PairFiles): Promise<string> {
  const certificate = await readClientCertificate(files)
  const left = Date.parse(certificate.parsed.validTo) - Date.now()
  if (left <= 0) {
    throw new TunnelError('UNAUTHENTICATED', `${files.cert} has expired ${formatDuration(-left)} ago`, {
      hint: 'get a new certificate',
    })
  }
  return `none, but a certificate for ${nameOf(certificate) ?? 'nobody'}, good for ${formatDuration(left)}`
}

export async function proxy({ env }: Patient, { address }: Known): Promise<string | undefined> {
  const set = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'].filter(
    variable => (env[variable] ?? '') !== '',
  )
  if (set.length === 0) return undefined
  const found = await proxyFor(address.url, env)
  const why = `${set.join(' and ')} set`
  return found === undefined
    ? `${why}, and not for this gateway`
    : `${why}: the way to the gateway is through ${found.host}`
}

export async function name(_: Patient, { address }: Known): Promise<string | undefined> {
  const { url, agent } = address
  // Whoever goes through a proxy need not know the name.
  if (agent !== undefined) return undefined
  const host = hostOf(url)
  if (isIP(host) !== 0) return undefined
  try {
    const found = await lookup(host, { all: true })
    return `${host} is ${found.map(({ address }) => address).join(', ')}`
  } catch (thrown) {
    throw explain(url, thrown as NodeJS.ErrnoException)
  }
}

export async function network(_: Patient, { address }: Known): Promise<string | undefined> {
  const { url, agent } = address
  if (agent !== undefined) return undefined
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

export async function tls(_: Patient, { address }: Known): Promise<string | undefined> {
  const { url, insecure, agent } = address
  if (agent !== undefined || url.protocol !== 'wss:') return undefined
  const host = hostOf(url)
  const servername = isIP(host) === 0 ? { servername: host } : {}
  const socket = connectTls({
    host,
    port: portOf(url),
    timeout: TIMEOUT_MS,
    ...servername,
    ...(await trust(address)),
  })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('timeout', () => reject(unreachable(url, `TLS took longer than ${TIMEOUT_MS / 1000} s`)))
      socket.once('error', error => reject(explain(url, error)))
    })
    const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / DAY_MS)
    const protocol = socket.getProtocol() ?? 'TLS'
    if (insecure) return `${protocol}, with a certificate that is not checked`
    return `${protocol}, and the certificate is good for ${days} days`
  } finally {
    socket.destroy()
  }
}

/** Kept for the clock, which is read off the same answer. */
const answers = new WeakMap<Patient, number>()

export async function gateway(patient: Patient, { address, token: secret }: Known): Promise<string> {
  const { signal } = patient
  const { body, date } = await askGateway({ ...address, path: '/v1/services', token: secret, signal })
  if (date !== undefined) answers.set(patient, date - Date.now())
  const { agents } = body as { agents?: readonly unknown[] }
  const count = Array.isArray(agents) ? agents.length : 0
  return `lets this ${secret === undefined ? 'certificate' : 'token'} in; ${count === 1 ? 'one agent that it names is' : `${count} agents that it names are`} connected`
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
export async function webSocket({ signal }: Patient, { address, token: secret }: Known): Promise<string> {
  const carrier = await dialGateway({ ...address, role: 'connect', token: secret, clock: systemClock, signal })
  const link = await Link.greet(carrier, { clock: systemClock, hello: { role: 'connect', software }, signal })
  link.close('examined')
  await link.ended
  return `${link.software} greets`
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')
const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'wss:' ? 443 : 80)
const listed = (value: unknown): string => (Array.isArray(value) && value.length > 0 ? value.join(', ') : 'nothing')
