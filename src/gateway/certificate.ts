/** A certificate of the gateway, with its key, and the names that it is for. */
import type { SecureContext } from 'node:tls'
import { TunnelError } from '../errors.ts'
import { type PairFiles, readPair } from '../net/pem.ts'

export interface Certificate {
  /** The DNS names in subjectAltName, lower case; `*.` in front stands for one label (RFC 9525, 6.3). Its subject names nobody. */
  readonly names: readonly string[]
  /** `ca`: of the authorities whose certificates clients may show. */
  readonly pem: { readonly cert: string; readonly key: string; readonly ca?: string }
  readonly context: SecureContext
}

export const MIN_TLS_VERSION = 'TLSv1.2'
const FLAGS = '--tls-cert and --tls-key'

/**
 * @param ca PEM of the authorities whose certificates clients may show
 * @throws TunnelError KEY_FILE
 */
export async function loadCertificate(files: PairFiles, ca?: string): Promise<Certificate> {
  const options = { flags: FLAGS, ca, minVersion: MIN_TLS_VERSION } as const
  const { cert, key, certificate, context } = await readPair(files, options)
  const names = namesIn(certificate.subjectAltName ?? '')
  return { names, pem: { cert, key, ...(ca !== undefined && { ca }) }, context }
}

/** As `loadCertificate`, of one that is not the default: it must be for somebody. */
export async function loadNamedCertificate(files: PairFiles, ca?: string): Promise<Certificate> {
  const certificate = await loadCertificate(files, ca)
  if (certificate.names.length > 0) return certificate
  throw new TunnelError('KEY_FILE', `${files.cert} has no DNS name in subjectAltName: nobody would get it`, {
    hint: `give the PEM files of one pair with ${FLAGS}`,
  })
}

/** Node escapes a comma inside an entry, so that each entry ends at the next one. */
function namesIn(subjectAltName: string): string[] {
  const entries = subjectAltName.split(', ').filter(entry => entry.startsWith('DNS:'))
  return entries.map(entry => entry.slice('DNS:'.length).toLowerCase())
}
