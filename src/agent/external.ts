/** Hosts outside of the cluster that the owner of an agent lets services lead to: `*.rds.example.com:5432`. */
import { TunnelError } from '../errors.ts'
import { globMatches } from '../net/pattern.ts'
import { quote } from '../net/quote.ts'

export interface ExternalPattern {
  /** As it was written. */
  readonly text: string
  /** In lower case; `*` stands for any run of characters. */
  readonly host: string
  readonly from: number
  readonly to: number
}

const SHAPE = /^([a-z0-9*](?:[a-z0-9*.-]{0,251}[a-z0-9*])?):(?:\*|([0-9]{1,5}(?:-[0-9]{1,5})?))$/i

/**
 * @param text `HOST:PORT`, `HOST:FROM-TO` or `HOST:*`
 * @throws TunnelError USAGE
 */
export function parseExternal(text: string): ExternalPattern {
  const [, host, ports] = SHAPE.exec(text) ?? []
  const [from = 1, to = ports === undefined ? 65_535 : from] = ports?.split('-').map(Number) ?? []
  if (host !== undefined && from >= 1 && to <= 65_535 && from <= to) return { text, host: host.toLowerCase(), from, to }
  throw new TunnelError('USAGE', `malformed host and port ${quote(text)}`, {
    hint: 'write it as db.example.com:5432, *.example.com:5432 or db.example.com:*',
  })
}

export const isAllowedExternal = (patterns: readonly ExternalPattern[], host: string, port: number): boolean =>
  patterns.some(({ host: glob, from, to }) => port >= from && port <= to && globMatches(glob, host.toLowerCase()))
