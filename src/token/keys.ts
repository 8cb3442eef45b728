/**
 * The key pair behind the tokens: Ed25519 as JSON Web Keys (RFC 8037). The private half stays with whoever makes tokens;
 * the gateway needs the public half only.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { open, unlink } from 'node:fs/promises'
import { calculateJwkThumbprint, type JSONWebKeySet } from 'jose'
import { TunnelError } from '../errors.ts'
import { explainFileError, readSmallFile } from '../net/smallfile.ts'

/** Secret: `d` is the private key. Never show a value of this type. */
export interface PrivateJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly d: string
  /** RFC 7638 thumbprint of the public half, so that the same key has the same id everywhere. */
  readonly kid: string
  readonly use: 'sig'
  /** The name from RFC 8037, which every JWT library knows; the newer `Ed25519` (RFC 9864) is not known everywhere yet. */
  readonly alg: 'EdDSA'
}

export interface KeyPair {
  readonly privateJwk: PrivateJwk
  readonly publicJwks: JSONWebKeySet
}

const maxKeyFileBytes = 65_536

export async function generateKeyPair(): Promise<KeyPair> {
  const privateJwk = await completeJwk(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }))
  return { privateJwk, publicJwks: publicHalf(privateJwk) }
}

/**
 * Makes a key pair and writes the private half to `file` (mode 0600) and the public JWKS to `file`.pub (0644). Both are
 * created or none is; a file that exists is never touched.
 * @throws TunnelError KEY_FILE
 */
export async function writeKeyPair(file: string): Promise<{ readonly kid: string; readonly publicFile: string }> {
  const { privateJwk, publicJwks } = await generateKeyPair()
  const publicFile = `${file}.pub`
  await createFile(file, 0o600, privateJwk)
  try {
    await createFile(publicFile, 0o644, publicJwks)
  } catch (thrown) {
    await unlink(file)
    throw thrown
  }
  return { kid: privateJwk.kid, publicFile }
}

/**
 * @param warn told in one line when others than the owner may read the file
 * @throws TunnelError KEY_FILE in one line that never shows the content
 */
export async function readPrivateKey(file: string, warn: (message: string) => void = () => {}): Promise<PrivateJwk> {
  const { text, openMode } = await readSmallFile(file, maxKeyFileBytes, 'KEY_FILE')
  const key = await completeJwk(privateFields(file, parseJson(file, text)))
  if (openMode !== undefined) warn(`other users can read the private key ${file} (mode ${openMode}): chmod 600 it`)
  return key
}

function parseJson(file: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // V8 quotes the text in its message: neither the message nor the cause may leave this function.
  }
  throw new TunnelError('KEY_FILE', `${file} holds no JSON object, so no private key`)
}

/** Checks that the halves belong together: a token of a mixed-up key would be refused without any visible reason. */
function privateFields(file: string, { kty, crv, x, d, keys }: Record<string, unknown>): JsonWebKey {
  if (Array.isArray(keys) || (kty === 'OKP' && x !== undefined && d === undefined)) {
    throw new TunnelError('KEY_FILE', `${file} is the public half of a key pair`, {
      hint: file.endsWith('.pub') ? `give ${file.slice(0, -4)}` : 'give the file that keygen wrote without .pub',
    })
  }
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || typeof d !== 'string') {
    throw new TunnelError('KEY_FILE', `${file} holds no Ed25519 private key`)
  }
  if (publicPart(d, x) !== x) {
    throw new TunnelError('KEY_FILE', `${file} is damaged: its public and private parts do not belong together`)
  }
  return { kty, crv, x, d }
}

function publicPart(d: string, x: string): string | undefined {
  try {
    const key = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' })
    return createPublicKey(key).export({ format: 'jwk' }).x
  } catch {
    return undefined
  }
}

async function completeJwk({ x = '', d = '' }: JsonWebKey): Promise<PrivateJwk> {
  const fields = { kty: 'OKP', crv: 'Ed25519', x } as const
  return { ...fields, d, kid: await calculateJwkThumbprint(fields), use: 'sig', alg: 'EdDSA' }
}

function publicHalf({ kty, crv, x, kid, use, alg }: PrivateJwk): JSONWebKeySet {
  return { keys: [{ kty, crv, x, kid, use, alg }] }
}

async function createFile(file: string, mode: number, content: object): Promise<void> {
  try {
    const handle = await open(file, 'wx', mode)
    try {
      await handle.writeFile(`${JSON.stringify(content, null, 2)}\n`)
      await handle.sync()
    } catch (thrown) {
      await unlink(file)
      throw thrown
    } finally {
      await handle.close()
    }
  } catch (thrown) {
    const hint =
      (thrown as NodeJS.ErrnoException).code === 'EEXIST'
        ? { hint: 'keys are never overwritten: choose another name' }
        : {}
    throw new TunnelError('KEY_FILE', `cannot create ${file}: ${explainFileError(thrown)}`, { ...hint, cause: thrown })
  }
}
