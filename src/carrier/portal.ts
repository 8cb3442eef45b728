/** Who answers in the gateway's place: the login page of a network (a captive portal), or an access proxy that wants to know more. */
import type { IncomingMessage } from 'node:http'
import { TunnelError } from '../errors.ts'
import { quote } from '../net/quote.ts'

/** "Network Authentication Required" (RFC 6585): said by login pages of networks alone. */
const OF_A_PORTAL = 511

/**
 * The failure, when no gateway answers so: with a page, or with a way to somewhere else, which is not taken. A load balancer that has
 * no gateway behind it, and says so with a page, is not meant.
 * @param text the beginning of the answer's body
 */
export function portalAt(url: URL, response: IncomingMessage, text: string): TunnelError | undefined {
  const { statusCode: status = 0, headers } = response
  const isPage = /^text\/html\b/i.test(headers['content-type'] ?? '') || text.trimStart().startsWith('<')
  const isElsewhere = status >= 300 && status < 400
  if (!isElsewhere && status !== OF_A_PORTAL && !(isPage && status < 404)) return undefined
  const to = isElsewhere ? hostIn(headers.location, url) : undefined
  const where = to === undefined ? '' : `, and leads to ${quote(to)}`
  return new TunnelError(
    'NOT_A_GATEWAY',
    `${url.host} is not a tunnelctl gateway: something else has answered, with status ${status}${where}`,
    { hint: HINT },
  )
}

const HINT =
  'a login page of this network may stand in front: open a browser and log in; an access proxy wants headers: give --header-file; else check the URL of --gateway'

function hostIn(location: string | undefined, url: URL): string | undefined {
  if (location === undefined || !URL.canParse(location, url.href)) return undefined
  const { host } = new URL(location, url)
  return host === '' ? undefined : host
}
