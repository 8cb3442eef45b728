/** Who is at the other end of a request, as far as that can be known. */
import type { IncomingMessage } from 'node:http'
import { type BlockList, isIP, isIPv6 } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { clientAddress } from './client-address.ts'
import { valuesOf } from './request.ts'

export interface Client {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  readonly protocol: 'http' | 'https'
  /** The peer is a trusted proxy. */
  readonly throughProxy: boolean
}

/**
 * The peer; or, when that is a trusted proxy, the last address in X-Forwarded-For that is not trusted itself: everything before
 * it may be made up.
 */
export function clientOf(request: IncomingMessage, trusted: BlockList | undefined): Client {
  const peer = clientAddress(request.socket)
  const encrypted = (request.socket as TLSSocket).encrypted === true
  const throughProxy = isTrusted(peer, trusted)
  if (!throughProxy) return client(peer, encrypted ? 'https' : 'http', false)
  const said = valuesOf(request.rawHeaders, 'x-forwarded-for')
    .flatMap(value => value.split(','))
    .map(each => plainAddress(each.trim()))
  let address = peer
  for (const each of said.reverse()) {
    if (isIP(each) === 0) break
    address = each
    if (!isTrusted(each, trusted)) break
  }
  const [protocol] = valuesOf(request.rawHeaders, 'x-forwarded-proto')
  return client(address, encrypted || protocol?.toLowerCase() === 'https' ? 'https' : 'http', true)
}

const client = (address: string, protocol: 'http' | 'https', throughProxy: boolean): Client => ({
  address,
  // It is an address, and only those of IPv6 have one.
  family: address.includes(':') ? 'ipv6' : 'ipv4',
  protocol,
  throughProxy,
})

const isTrusted = (address: string, trusted: BlockList | undefined): boolean =>
  trusted !== undefined && isIP(address) !== 0 && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')

/** IPv4 without the IPv6 around it, and IPv6 without a zone or brackets. */
function plainAddress(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '')
  return bare.replace(/^::ffff:(?=[0-9]+\.)/i, '')
}
