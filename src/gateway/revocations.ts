/**
 * What an operator takes back before its time is over, and what must not come in again:
 *
 *     tokens: [3f6c0a9e]            # the claim jti
 *     subjects: [ann@example.com]   # every token and certificate of theirs, also those to come
 *     certificates: [5A:0F:33]      # serial numbers
 */
import type { Principal } from './principal.ts'
import { Settings } from './settings.ts'

export interface Revocations {
  /** By `Principal.tokenId`. */
  readonly tokenIds: ReadonlySet<string>
  readonly subjects: ReadonlySet<string>
}

const HINT = 'see "Taking access back" in docs/operations.md'
/** So many are read within some tenths of a second, in which nothing else happens. */
const MAX_ENTRIES = 10_000
const MAX_BYTES = 1024 * 1024

/** @throws TunnelError USAGE naming the first thing that is wrong */
export async function loadRevocations(file: string): Promise<Revocations> {
  const settings = await Settings.load(file, 'revocations', HINT, MAX_BYTES)
  const value = settings.value ?? {}
  const { tokens, subjects, certificates } = settings.fields(value, ['tokens', 'subjects', 'certificates'], 'it')
  const isEmpty = (list: unknown) => list === undefined || list === null || (Array.isArray(list) && list.length === 0)
  const textsOf = (list: unknown, what: string) => (isEmpty(list) ? [] : settings.texts(list, what, MAX_ENTRIES))
  const serials = textsOf(certificates, 'certificates').map(serial => {
    if (!/^[0-9a-f]{1,2}(:?[0-9a-f]{2})*$/i.test(serial)) throw settings.malformed(`${serial} is no serial number`)
    return certificateId(serial)
  })
  return {
    tokenIds: new Set([...textsOf(tokens, 'tokens'), ...serials]),
    subjects: new Set(textsOf(subjects, 'subjects')),
  }
}

export const isRevoked = ({ tokenIds, subjects }: Revocations, { tokenId, subject }: Principal): boolean =>
  subjects.has(subject) || subjects.has(withoutKind(subject)) || (tokenId !== '' && tokenIds.has(tokenId))

/** A person is the same with a certificate, whose name says what kind of name it is. */
const withoutKind = (subject: string): string => subject.replace(/^(?:email|DNS|URI):/, '')

/** What stands in the place of a token's id for a certificate. A space is in no claim `jti` that a principal is made of. */
export const certificateId = (serial: string): string =>
  `serial ${serial
    .replaceAll(':', '')
    .toUpperCase()
    .replace(/^0+(?=.)/, '')}`
