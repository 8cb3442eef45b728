/** What may be typed for a value of an object. All of them throw a TunnelError USAGE that names the flag. */
import { TunnelError } from '../../errors.ts'
import { quote } from '../../net/quote.ts'
import { isLabel } from '../../net/target.ts'

const MAX_REPLICAS = 100

/** RFC 1123, as most objects are named. */
const subdomain = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/
const image = /^(?=.{1,512}$)[a-z0-9][a-z0-9._-]*(:\d+)?(\/[a-z0-9][a-z0-9._-]*)*(:\w[\w.-]*)?(@sha256:[0-9a-f]{64})?$/
/** One word, as it is compared and never looked into. */
const word = /^[\x21-\x7e]{1,256}$/

export const wrong = (message: string, hint: string): TunnelError => new TunnelError('USAGE', message, { hint })

const must = (holds: boolean, flag: string, value: string, what: string, hint: string): string => {
  if (holds) return value
  throw wrong(`${flag} ${quote(value)} is not ${what}`, hint)
}

export const labelFlag = (flag: string, value: string, maxLength = 63): string =>
  must(
    isLabel(value) && value.length <= maxLength,
    flag,
    value,
    'a name',
    `give up to ${maxLength} small letters, digits and dashes`,
  )

export const objectFlag = (flag: string, value: string): string =>
  must(subdomain.test(value), flag, value, 'the name of an object', 'give small letters, digits, dashes and dots')

export const hostFlag = (flag: string, value: string): string =>
  must(subdomain.test(value) && value.includes('.'), flag, value, 'a host', 'write it as gateway.example.com')

export const imageFlag = (value: string): string =>
  must(image.test(value), '--image', value, 'an image', 'write it as ghcr.io/tunnelctl/tunnelctl:1.2.3')

export const wordFlag = (flag: string, value: string): string =>
  must(word.test(value), flag, value, 'one word', 'give it as it stands in the token')

export function replicasFlag(value: string): number {
  const count = /^\d{1,3}$/.test(value) ? Number(value) : 0
  must(count >= 1 && count <= MAX_REPLICAS, '--replicas', value, 'a number of pods', `give 1 to ${MAX_REPLICAS}`)
  return count
}
