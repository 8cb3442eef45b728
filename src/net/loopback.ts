/** Whether a host is this machine. */
import { isIP } from 'node:net'

/** A literal address, also in brackets as in a URL, or `localhost`; no other name is looked up. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'))
