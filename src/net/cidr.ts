/** Ranges of addresses, as operators write them: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`. */
import { BlockList, isIP } from 'node:net'
import { TunnelError } from '../errors.ts'
import { quote } from './quote.ts'

/**
 * The addresses of all ranges.
 * @throws TunnelError USAGE naming the first that is none
 */
export function addressRanges(texts: readonly string[]): BlockList {
  const ranges = new BlockList()
  for (const text of texts) {
    const [address = '', bits, ...more] = text.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    const most = family === 'ipv6' ? 128 : 32
    const length = bits === undefined ? most : Number(bits)
    if (isIP(address) === 0 || more.length > 0 || !/^[0-9]{1,3}$/.test(bits ?? '0') || length > most) {
      throw new TunnelError('USAGE', `${quote(text)} is no range of addresses`, {
        hint: 'write it as 10.0.0.0/8 or 2001:db8::/32',
      })
    }
    ranges.addSubnet(address, length, family)
  }
  return ranges
}

/** Whether `address` is an address, and one of `ranges`; no ranges hold none. */
export function inRanges(ranges: BlockList | undefined, address: string): boolean {
  const family = isIP(address)
  return ranges !== undefined && family !== 0 && ranges.check(address, family === 6 ? 'ipv6' : 'ipv4')
}
