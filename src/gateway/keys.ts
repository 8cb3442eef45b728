/** The public keys that a gateway checks tokens with, out of the files that an operator names. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, type JSONWebKeySet, type JWK } from 'jose'
import { TunnelError } from '../errors.ts'
import { quote } from '../net/quote.ts'
import { readSmallFile } from '../net/smallfile.ts'

const maxKeyFileBytes = 262_144

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
 * The keys of all sets by their ids.
 * @throws TunnelError KEY_FILE for no key at all, for one that is no Ed25519 public key, and for two under one id
 */
export function keysById(sets: readonly JSONWebKeySet[]): ReadonlyMap<string, KeyObject> {
  const byId = new Map<string, KeyObject>()
  for (const jwk of sets.flatMap(set => set.keys)) {
    if (typeof jwk.kid !== 'string') throw new TunnelError('KEY_FILE', 'a verify key has no id')
    const key = publicKey(jwk, 'the key set')
    if (byId.get(jwk.kid)?.equals(key) === false) {
      throw new TunnelError('KEY_FILE', `two verify keys have the same id ${quote(jwk.kid)}`)
    }
    byId.set(jwk.kid, key)
  }
  if (byId.size === 0) throw noKeys()
  return byId
}

async function loadFile(file: string): Promise<JSONWebKeySet> {
  const { text } = await readSmallFile(file, maxKeyFileBytes, 'KEY_FILE')
  const found = text.includes('-----BEGIN') ? fromPem(file, text) : fromJson(file, text)
  if (found.length === 0) throw new TunnelError('KEY_FILE', `${file} holds no key`)
  const keys = found.map(async jwk => {
    const { x = '' } = publicKey(jwk, file).export({ format: 'jwk' })
    const fields = { kty: 'OKP', crv: 'Ed25519', x } as const
    return { ...fields, kid: jwk.kid ?? (await calculateJwkThumbprint(fields)), use: 'sig', alg: 'EdDSA' }
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
      throw notEd25519(file)
    }
  })
}

function fromJson(file: string, text: string): JWK[] {
  const value = parseJson(text)
  const list: unknown = isObject(value) && Array.isArray(value.keys) ? value.keys : [value]
  return (list as unknown[]).map(entry => {
    if (!isObject(entry)) throw new TunnelError('KEY_FILE', `${file} holds no key: it is neither JWKS, JWK nor PEM`)
    const { kty, crv, x, d, k, kid, use } = entry
    if (d !== undefined || k !== undefined) throw privateKey(file)
    if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || (use ?? 'sig') !== 'sig') throw notEd25519(file)
    if (kid === undefined) return { kty, crv, x }
    if (typeof kid !== 'string') throw new TunnelError('KEY_FILE', `${file} holds a key whose kid is not a text`)
    return { kty, crv, x, kid }
  })
}

function publicKey({ kty = '', crv = '', x = '' }: JWK, from: string): KeyObject {
  try {
    const key = createPublicKey({ key: { kty, crv, x }, format: 'jwk' })
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // Said below, without what the file holds.
  }
  throw notEd25519(from)
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

function notEd25519(from: string): TunnelError {
  return new TunnelError('KEY_FILE', `${from} holds something else than Ed25519 public keys for signatures`)
}

function noKeys(): TunnelError {
  return new TunnelError('KEY_FILE', 'no key to verify tokens with', { hint: 'give --verify-key FILE.pub' })
}
