/** A certificate with its key, from two PEM files: what of it is wrong is said in one line, and its content never. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureVersion } from 'node:tls'
import { TunnelError } from '../errors.ts'
import { readSmallFile } from './smallfile.ts'

export interface PairFiles {
  /** PEM: the certificate, then those that lead to its authority. */
  readonly cert: string
  /** PEM, without a passphrase. */
  readonly key: string
}

export interface PemPair {
  readonly cert: string
  readonly key: string
  readonly certificate: X509Certificate
  /** OpenSSL has taken both: in the middle of a handshake it would throw where nobody waits for it. */
  readonly context: SecureContext
  /** The permission bits of the key's file, when others than its owner may read it. */
  readonly openMode: string | undefined
}

export interface PairOptions {
  /** What to say in place of the files, such as `--tls-cert and --tls-key`. */
  readonly flags: string
  /** PEM of authorities for the context. */
  readonly ca?: string | undefined
  readonly minVersion?: SecureVersion
}

const MAX_BYTES = 256 * 1024

/** @throws TunnelError KEY_FILE */
export async function readPair(files: PairFiles, { flags, ca, minVersion }: PairOptions): Promise<PemPair> {
  const hint = `give the PEM files of one pair with ${flags}`
  const [{ text: cert }, { text: key, openMode }] = await Promise.all([read(files.cert, hint), read(files.key, hint)])
  const certificate = parseCertificate(files.cert, cert, hint)
  if (!certificate.checkPrivateKey(parseKey(files.key, key, hint)))
    throw unusable(`${files.cert} and ${files.key} do not fit: the key is another certificate's`, hint)
  try {
    const context = createSecureContext({
      cert,
      key,
      ...(ca !== undefined && { ca }),
      ...(minVersion !== undefined && { minVersion }),
    })
    return { cert, key, certificate, context, openMode }
  } catch (cause) {
    throw unusable(`OpenSSL does not take ${files.cert} and ${files.key}: ${reasonOf(cause)}`, hint, cause)
  }
}

/**
 * The certificates of authorities, as PEM.
 * @param flag that has named the file
 * @throws TunnelError KEY_FILE
 */
export async function readAuthorities(file: string, flag: string): Promise<string> {
  const hint = `give a PEM file of authorities with ${flag}`
  const { text } = await read(file, hint)
  for (const pem of text.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? ['']) {
    if (!parseCertificate(file, pem, hint).ca)
      throw unusable(`${file} holds a certificate that is no authority's`, hint)
  }
  return text
}

async function read(file: string, hint: string): ReturnType<typeof readSmallFile> {
  try {
    return await readSmallFile(file, MAX_BYTES, 'KEY_FILE')
  } catch (cause) {
    throw unusable((cause as Error).message, hint, cause)
  }
}

function parseCertificate(file: string, text: string, hint: string): X509Certificate {
  try {
    if (!text.includes('-----BEGIN ')) throw new Error('no PEM')
    return new X509Certificate(text)
  } catch (cause) {
    throw unusable(`${file} does not begin with a certificate in PEM`, hint, cause)
  }
}

function parseKey(file: string, text: string, hint: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch {
    // The cause may know what was read, so it stays here.
    const isLocked = /^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(text)
    throw unusable(`${file} ${isLocked ? 'is locked with a passphrase' : 'holds no private key in PEM'}`, hint)
  }
}

/** OpenSSL's word for it, such as `ee key too small`. */
function reasonOf(thrown: unknown): string {
  const { reason, code } = thrown as { readonly reason?: string; readonly code?: string }
  return reason ?? code ?? 'unknown failure'
}

const unusable = (message: string, hint: string, cause?: unknown): TunnelError =>
  new TunnelError('KEY_FILE', message, { hint, ...(cause !== undefined && { cause }) })
