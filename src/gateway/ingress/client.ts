/** Who is at the other end of a request, as far as that can be known. */
import type { IncomingMessage } from 'node:http'
import { type BlockList, isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { unmapped } from '../../net/address.ts'
import { inRanges } from '../../net/cidr.ts'
import { valuesOf } from '../header.ts'
import { clientAddress } from './client-address.ts'

export interface Client {
  readonly address: string
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
  const throughProxy = inRanges(trusted, peer)
  if (!throughProxy) return client(peer, encrypted ? 'https' : 'http', false)
  const said = valuesOf(request.rawHeaders, 'x-forwarded-for')
    .flatMap(value => value.split(','))
    .map(each => plainAddress(each.trim()))
  let address = peer
  for (const each of said.reverse()) {
    if (isIP(each) === 0) break
    address = each
    if (!inRanges(trusted, each)) break
  }
  const [protocol] = valuesOf(request.rawHeaders, 'x-forwarded-proto')
  return client(address, encrypted || protocol?.toLowerCase() === 'https' ? 'https' : 'http', true)
}

const client = (address: string, protocol: 'http' | 'https', throughProxy: boolean): Client => ({
  address,
  protocol,
  throughProxy,
})

/** IPv4 without the IPv6 around it, and IPv6 without a zone or brackets. */
function plainAddress(text: string): string {
  return unmapped(text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, ''))
}
