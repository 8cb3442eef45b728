/** A certificate with its key, from two PEM files: what of it is wrong is said in one line, and its content never. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { TunnelError } from '../errors.ts'
import { readSmallFile } from '../net/smallfile.ts'

export interface CertificateFiles {
  /** PEM: the certificate, then those that lead to its root. */
  readonly cert: string
  /** PEM, without a passphrase. */
  readonly key: string
}

export interface Certificate {
  readonly files: CertificateFiles
  /** The DNS names in subjectAltName, lower case; `*.` in front stands for one label (RFC 9525, 6.3). Its subject names nobody. */
  readonly names: readonly string[]
  /** `ca`: of the authorities whose certificates clients may show. */
  readonly pem: { readonly cert: string; readonly key: string; readonly ca?: string }
  readonly context: SecureContext
}

export const MIN_TLS_VERSION = 'TLSv1.2'
const MAX_BYTES = 256 * 1024

/**
 * @param ca PEM of the authorities whose certificates clients may show
 * @throws TunnelError KEY_FILE
 */
export async function loadCertificate(files: CertificateFiles, ca?: string): Promise<Certificate> {
  const pem = { cert: await read(files.cert), key: await read(files.key), ...(ca !== undefined && { ca }) }
  const certificate = parseCertificate(files.cert, pem.cert)
  if (!certificate.checkPrivateKey(parseKey(files.key, pem.key)))
    throw unusable(`${files.cert} and ${files.key} do not fit: the key is another certificate's`)
  try {
    const context = createSecureContext({ ...pem, minVersion: MIN_TLS_VERSION })
    return { files, names: namesIn(certificate.subjectAltName ?? ''), pem, context }
  } catch (cause) {
    throw unusable(`OpenSSL does not take ${files.cert} and ${files.key}: ${reasonOf(cause)}`, cause)
  }
}

/**
 * The certificates of authorities, as PEM.
 * @throws TunnelError KEY_FILE
 */
export async function loadAuthorities(file: string): Promise<string> {
  const text = await read(file)
  for (const pem of text.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? ['']) {
    if (!parseCertificate(file, pem).ca) throw unusable(`${file} holds a certificate that is no authority's`)
  }
  return text
}

async function read(file: string): Promise<string> {
  try {
    return (await readSmallFile(file, MAX_BYTES, 'KEY_FILE')).text
  } catch (cause) {
    throw unusable((cause as Error).message, cause)
  }
}

function parseCertificate(file: string, text: string): X509Certificate {
  try {
    if (!text.includes('-----BEGIN ')) throw new Error('no PEM')
    return new X509Certificate(text)
  } catch (cause) {
    throw unusable(`${file} does not begin with a certificate in PEM`, cause)
  }
}

function parseKey(file: string, text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch (cause) {
    throw unusable(
      `${file} ${/^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(text) ? 'is locked with a passphrase' : 'holds no private key in PEM'}`,
      cause,
    )
  }
}

/** OpenSSL's word for it, such as `ee key too small`. */
function reasonOf(thrown: unknown): string {
  const { reason, code } = thrown as { readonly reason?: string; readonly code?: string }
  return reason ?? code ?? 'unknown failure'
}

/** Node escapes a comma inside an entry, so that each entry ends at the next one. */
function namesIn(subjectAltName: string): string[] {
  const entries = subjectAltName.split(', ').filter(entry => entry.startsWith('DNS:'))
  return entries.map(entry => entry.slice('DNS:'.length).toLowerCase())
}

export function unusable(message: string, cause?: unknown): TunnelError {
  return new TunnelError('KEY_FILE', message, {
    ...(cause !== undefined && { cause }),
    hint: 'give the PEM files of one pair with --tls-cert and --tls-key',
  })
}
