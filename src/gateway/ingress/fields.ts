/**
 * The header fields of a message that is passed on (RFC 9110, 7.6). They keep their order, their spelling and their
 * duplicates; what concerns one connection alone stays on it, and what tells of the way is added.
 */
import { valuesOf } from '../header.ts'

/** Flat pairs, as Node has them in `rawHeaders`. */
export type Fields = readonly string[]

const HOP_BY_HOP = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'],
])
/** Naming these in Connection would take from the service where the message is for, and where it ends. */
const NEVER_NOMINATED = new Set(['host', 'content-length'])
/** Who sent what through whom: only a proxy that is trusted may say so. */
const OF_THE_WAY = /^(?:forwarded|x-forwarded-.+|x-real-ip|x-request-id|via)$/
/** What a trailer must not be (RFC 9110, 6.5.1). */
const NO_TRAILER =
  /^(?:content-(?:length|type|encoding|range)|transfer-encoding|host|authorization|cookie|set-cookie|te|trailer|connection|cache-control|expect|max-forwards|www-authenticate|proxy-.*)$/i

export interface Way {
  /** Of the client, as far as it is known. */
  readonly address: string
  readonly protocol: 'http' | 'https'
  readonly host: string
  readonly requestId: string
  /** The peer is a proxy of the operator's: what it says of the way before it is kept. */
  readonly trusted: boolean
}

/** RFC 6797, 6.1. */
export const HSTS = 'Strict-Transport-Security'

export const PSEUDONYM = 'tunnelctl'

/** Messages that have come this far round go round for ever. */
export function isLoop(rawHeaders: Fields): boolean {
  let here = 0
  for (const value of valuesOf(rawHeaders, 'via'))
    here += value.split(',').filter(hop => hop.trim().split(/\s+/)[1] === PSEUDONYM).length
  return here > 0
}

/** Of a request: `without` names fields, in lower case, that are not passed on either. */
export function requestFields(rawHeaders: Fields, way: Way, without: ReadonlySet<string>): string[] {
  const kept = passedOn(rawHeaders, name => {
    // Services that make variables of fields (CGI, WSGI, Rack) read both spellings as one.
    const read = name.replaceAll('_', '-')
    return without.has(name) || without.has(read) || (OF_THE_WAY.test(read) && !(way.trusted && read === name))
  })
  const before = (name: string): string => (way.trusted ? joined(rawHeaders, name) : '')
  const drop = new Set(['forwarded', 'x-forwarded-for', 'via'])
  const fields = filter(kept, name => !drop.has(name))
  const has = (name: string): boolean => valuesOf(fields, name).length > 0
  const add = (name: string, value: string): void => void fields.push(name, value)
  if (!has('x-request-id')) add('X-Request-Id', way.requestId)
  if (!has('x-forwarded-proto')) add('X-Forwarded-Proto', way.protocol)
  if (!has('x-forwarded-host')) add('X-Forwarded-Host', way.host)
  add('X-Forwarded-For', after(before('x-forwarded-for'), way.address))
  add('Forwarded', after(before('forwarded'), forwarded(way)))
  add('Via', after(before('via'), `1.1 ${PSEUDONYM}`))
  return fields
}

/**
 * Of a response.
 * @param hsts what `Strict-Transport-Security` says, if the service does not say it; undefined: nothing
 */
export function responseFields(
  rawHeaders: Fields,
  without: (name: string, value: string) => boolean,
  hsts: string | undefined,
): string[] {
  const kept = passedOn(rawHeaders, name => name === 'via')
  const fields = filter(kept, (name, value) => !without(name, value))
  if (hsts !== undefined && valuesOf(fields, 'strict-transport-security').length === 0) fields.push(HSTS, hsts)
  fields.push('Via', after(joined(rawHeaders, 'via'), `1.1 ${PSEUDONYM}`))
  return fields
}

export function trailerFields(rawTrailers: Fields): [string, string][] {
  const kept: [string, string][] = []
  for (let i = 0; i + 1 < rawTrailers.length; i += 2) {
    const [name = '', value = ''] = [rawTrailers[i], rawTrailers[i + 1]]
    if (!NO_TRAILER.test(name) && !HOP_BY_HOP.has(name.toLowerCase())) kept.push([name, value])
  }
  return kept
}

/** Those that are not for one connection alone, by the fixed set or because Connection names them. */
function passedOn(rawHeaders: Fields, drop: (name: string) => boolean): string[] {
  const nominated = new Set<string>()
  for (const value of valuesOf(rawHeaders, 'connection'))
    for (const option of value.split(',')) nominated.add(option.trim().toLowerCase())
  return filter(
    rawHeaders,
    name => !HOP_BY_HOP.has(name) && !(nominated.has(name) && !NEVER_NOMINATED.has(name)) && !drop(name),
  )
}

function filter(fields: Fields, keep: (name: string, value: string) => boolean): string[] {
  const kept: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? ''
    const value = fields[i + 1] ?? ''
    if (keep(name.toLowerCase(), value)) kept.push(name, value)
  }
  return kept
}

const joined = (fields: Fields, wanted: string): string => valuesOf(fields, wanted).join(', ')

const after = (before: string, own: string): string => (before === '' ? own : `${before}, ${own}`)

/** RFC 7239, 4: what is no token is quoted, and IPv6 is in brackets. */
function forwarded({ address, protocol, host }: Way): string {
  const node = address.includes(':') ? `"[${address}]"` : address
  return `for=${node};host="${host}";proto=${protocol}`
}
