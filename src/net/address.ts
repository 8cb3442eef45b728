/** IP addresses as text, in one form each, so that they can be compared, logged and looked up. */
import { isIPv6, SocketAddress } from 'node:net'

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** An address as Node gives it, but IPv4 where a dual-stack listener shows it as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2). */
export const unmapped = (address: string): string => mapped.exec(address)?.[1] ?? address

/** The form of RFC 5952, and IPv4 for an IPv4-mapped address. `address` must be a literal without a zone. */
export function canonicalAddress(address: string): string {
  return isIPv6(address) ? unmapped(new SocketAddress({ address, family: 'ipv6' }).address) : address
}
