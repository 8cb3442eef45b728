/** The public keys that a gateway checks tokens with, out of the files that an operator names. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, type JSONWebKeySet, type JWK } from 'jose'
import { TunnelError } from '../errors.ts'
import { quote } from '../net/quote.ts'
import { readSmallFile } from '../net/smallfile.ts'

const maxKeyFileBytes = 262_144
const MIN_RSA_BITS = 2048

/** A public key, and the names in `alg` of what may be signed with it. */
export interface VerifyKey {
  readonly key: KeyObject
  readonly algorithms: readonly string[]
}

/** By their ids. */
export type VerifyKeys = ReadonlyMap<string, VerifyKey>

/**
 * One key set per file. A file is a JWKS, a single JWK, or PEM public keys; a key without an id gets its RFC 7638
 * thumbprint. Call it again to take in changed files.
 * @throws TunnelError KEY_FILE when a file cannot be used as it is: nothing is skipped in silence
 */
export async function loadVerifyKeys(files: readonly string[]): Promise<JSONWebKeySet[]> {
  if (files.length === 0) throw noKeys()
  return Promise.all(files.map(loadFile))
}

/**
 * The keys of all sets.
 * @throws TunnelError KEY_FILE for no key at all, for one that no token may be signed with, and for two under one id
 */
export function keysById(sets: readonly JSONWebKeySet[]): VerifyKeys {
  const byId = new Map<string, VerifyKey>()
  for (const jwk of sets.flatMap(set => set.keys)) {
    if (typeof jwk.kid !== 'string') throw new TunnelError('KEY_FILE', 'a verify key has no id')
    const verifyKey = publicKey(jwk, 'the key set')
    if (byId.get(jwk.kid)?.key.equals(verifyKey.key) === false) {
      throw new TunnelError('KEY_FILE', `two verify keys have the same id ${quote(jwk.kid)}`)
    }
    byId.set(jwk.kid, verifyKey)
  }
  if (byId.size === 0) throw noKeys()
  return byId
}

async function loadFile(file: string): Promise<JSONWebKeySet> {
  const { text } = await readSmallFile(file, maxKeyFileBytes, 'KEY_FILE')
  const found = text.includes('-----BEGIN') ? fromPem(file, text) : fromJson(file, text)
  if (found.length === 0) throw new TunnelError('KEY_FILE', `${file} holds no key`)
  const keys = found.map(async jwk => {
    const { key, algorithms } = publicKey(jwk, file)
    if (jwk.alg !== undefined && !algorithms.includes(jwk.alg)) throw notUsable(file)
    const fields = key.export({ format: 'jwk' }) as JWK
    return { ...fields, kid: jwk.kid ?? (await calculateJwkThumbprint(fields)), use: 'sig' }
  })
  return { keys: await Promise.all(keys) }
}

function fromPem(file: string, text: string): JWK[] {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) throw privateKey(file)
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----/gs) ?? []
  return blocks.map(pem => {
    try {
      return createPublicKey(pem).export({ format: 'jwk' }) as JWK
    } catch {
      throw notUsable(file)
    }
  })
}

function fromJson(file: string, text: string): JWK[] {
  const value = parseJson(text)
  const list: unknown = isObject(value) && Array.isArray(value.keys) ? value.keys : [value]
  return (list as unknown[]).map(entry => {
    if (!isObject(entry)) throw new TunnelError('KEY_FILE', `${file} holds no key: it is neither JWKS, JWK nor PEM`)
    const { d, k, kid, use } = entry
    if (d !== undefined || k !== undefined) throw privateKey(file)
    if ((use ?? 'sig') !== 'sig') throw notUsable(file)
    if (kid !== undefined && typeof kid !== 'string')
      throw new TunnelError('KEY_FILE', `${file} holds a key whose kid is not a text`)
    return entry as JWK
  })
}

/** Of a key, only what makes it one is read. */
function publicKey({ kty = '', crv = '', x = '', y = '', n = '', e = '' }: JWK, from: string): VerifyKey {
  try {
    const jwk = kty === 'RSA' ? { kty, n, e } : kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x }
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    const algorithms = algorithmsOf(key)
    if (algorithms !== undefined) return { key, algorithms }
  } catch {
    // Said below, without what the file holds.
  }
  throw notUsable(from)
}

/** RFC 7518, 3.3 and 3.4; EdDSA is the name of RFC 8037, Ed25519 that of RFC 9864 for the same thing. */
function algorithmsOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject) {
  if (type === 'ed25519') return ['EdDSA', 'Ed25519']
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return ['ES256']
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS) return ['RS256']
  return undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function privateKey(file: string): TunnelError {
  return new TunnelError('KEY_FILE', `${file} holds a private key; give ${file}.pub`, {
    hint: 'the gateway needs only the public half; keep the private one where tokens are made',
  })
}

function notUsable(from: string): TunnelError {
  return new TunnelError(
    'KEY_FILE',
    `${from} holds something else than public keys for signatures: Ed25519, P-256, or RSA from ${MIN_RSA_BITS} bits`,
  )
}

function noKeys(): TunnelError {
  return new TunnelError('KEY_FILE', 'no key to verify tokens with', { hint: 'give --verify-key FILE.pub' })
}
