/**
 * The public keys of an issuer that is not the operator, fetched when they are needed and kept. Keys that the issuer has changed are found by
 * the first token that is signed with one; while it cannot be reached, those that are known go on.
 */
import { type CryptoKey, createLocalJWKSet, errors, type JWK, type JWTHeaderParameters } from 'jose'
import { TunnelError } from '../errors.ts'
import { readSmallFile, readSmallStream } from '../net/smallfile.ts'

/** Where the keys come from. */
export interface KeySource {
  /** For errors: whose keys they are. */
  readonly issuer: string
  /** @throws TunnelError OVERLOAD when they cannot be had now */
  load(): Promise<readonly unknown[]>
}

export interface IssuerKeysOptions {
  readonly source: KeySource
  /** Milliseconds, of a clock that never goes back. */
  readonly monotonicNow: () => number
}

type KeyOf = ReturnType<typeof createLocalJWKSet>

const TIMEOUT_MS = 5_000
const MAX_DOCUMENT_BYTES = 256 * 1024
const MAX_KEYS = 100
/** From this age on, keys are fetched again, so that one that the issuer has withdrawn is forgotten. */
const STALE_MS = 10 * 60_000
/** Tokens with made-up key ids make no more requests than this. */
const LEAST_GAP_MS = 30_000

export class IssuerKeys {
  readonly #options: IssuerKeysOptions
  #keyOf: KeyOf | undefined
  #fetchedAt = 0
  #triedAt = Number.NEGATIVE_INFINITY
  #fetching: Promise<void> | undefined

  constructor(options: IssuerKeysOptions) {
    this.#options = options
  }

  /**
   * The key for a token with this header.
   * @throws TunnelError UNAUTHENTICATED when the issuer has no such key, OVERLOAD when no keys can be had
   */
  async key(header: JWTHeaderParameters): Promise<CryptoKey> {
    if (this.#keyOf === undefined) await this.#fetch()
    else if (this.#now() - this.#fetchedAt > STALE_MS) void this.#fetch().catch(() => {})
    const known = await this.#find(header)
    if (known !== undefined) return known
    await this.#fetch()
    const found = await this.#find(header)
    if (found !== undefined) return found
    throw new TunnelError('UNAUTHENTICATED', 'the issuer of the token has no key with its id', {
      hint: 'get a new token',
    })
  }

  #now(): number {
    return this.#options.monotonicNow()
  }

  async #find(header: JWTHeaderParameters): Promise<CryptoKey | undefined> {
    try {
      return await this.#keyOf?.(header)
    } catch (thrown) {
      if (thrown instanceof errors.JWKSNoMatchingKey || thrown instanceof errors.JWKSMultipleMatchingKeys)
        return undefined
      throw thrown
    }
  }

  /** Does nothing when it was tried a moment ago: the answer would be the same. */
  async #fetch(): Promise<void> {
    if (this.#fetching === undefined && this.#now() - this.#triedAt < LEAST_GAP_MS) {
      if (this.#keyOf === undefined) throw keysUnavailable(this.#options.source.issuer, 'it could not a moment ago')
      return
    }
    this.#triedAt = this.#fetching === undefined ? this.#now() : this.#triedAt
    this.#fetching ??= this.#replace().finally(() => {
      this.#fetching = undefined
    })
    await this.#fetching
  }

  async #replace(): Promise<void> {
    const keys = await this.#options.source.load()
    if (keys.length > MAX_KEYS) throw keysUnavailable(this.#options.source.issuer, 'they are too many')
    this.#keyOf = createLocalJWKSet({ keys: keys as JWK[] })
    this.#fetchedAt = this.#now()
  }
}

/** Those that the issuer publishes (OpenID Connect Discovery 1.0, section 4). */
export function publishedKeys(issuer: string, fetch: typeof globalThis.fetch = globalThis.fetch): KeySource {
  return {
    issuer,
    async load() {
      const about = await documentAt(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, issuer, fetch)
      if (about.issuer !== issuer) throw keysUnavailable(issuer, 'it calls itself something else')
      if (typeof about.jwks_uri !== 'string' || !isFetchable(about.jwks_uri, issuer)) {
        throw keysUnavailable(issuer, 'it names no https address of its keys')
      }
      return keysIn(await documentAt(about.jwks_uri, issuer, fetch), issuer)
    },
  }
}

/** Those of a file, which is read again when a key is not in it. */
export function filedKeys(issuer: string, file: string): KeySource {
  return {
    issuer,
    async load() {
      const { text } = await readSmallFile(file, MAX_DOCUMENT_BYTES, 'OVERLOAD')
      return keysIn(objectFrom(text, issuer), issuer)
    },
  }
}

export function keysUnavailable(issuer: string, why: string): TunnelError {
  return new TunnelError('OVERLOAD', `the gateway has no keys of ${issuer}: ${why}`, {
    hint: 'try again in a moment; the gateway needs a way to its issuer',
  })
}

function keysIn({ keys }: Record<string, unknown>, issuer: string): readonly unknown[] {
  if (Array.isArray(keys)) return keys
  throw keysUnavailable(issuer, 'its keys are no JWKS')
}

async function documentAt(
  url: string,
  issuer: string,
  fetch: typeof globalThis.fetch,
): Promise<Record<string, unknown>> {
  let text: string | undefined
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (response.status !== 200) throw keysUnavailable(issuer, `it answered with status ${response.status}`)
    if (response.body !== null) text = await readSmallStream(response.body, MAX_DOCUMENT_BYTES)
  } catch (thrown) {
    if (thrown instanceof TunnelError) throw thrown
    const { cause } = thrown as { cause?: { code?: unknown } }
    throw keysUnavailable(issuer, String(cause?.code ?? (thrown as Error).name))
  }
  return objectFrom(text ?? '', issuer)
}

function objectFrom(text: string, issuer: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw keysUnavailable(issuer, 'its answer is not JSON')
}

/** An issuer that is spoken to in the clear, which only loopback may be, may say so of its keys too. */
const isFetchable = (uri: string, issuer: string): boolean =>
  URL.canParse(uri) && (new URL(uri).protocol === 'https:' || new URL(uri).protocol === new URL(issuer).protocol)
