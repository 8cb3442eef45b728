/** The certificate that names this end to the gateway, with its key. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { TunnelError } from '../errors.ts'
import { readSmallFile } from '../net/smallfile.ts'

export interface ClientCertificateFiles {
  /** PEM: the certificate, then those that lead to the authority that the gateway knows. */
  readonly cert: string
  /** PEM, without a passphrase. */
  readonly key: string
}

export interface ClientCertificate {
  /** PEM. */
  readonly cert: string
  readonly key: string
  readonly parsed: X509Certificate
}

const MAX_BYTES = 256 * 1024

/**
 * Read it again for each dial: whoever renews it replaces the files.
 * @param warn told in one line when others than the owner may read the key
 * @throws TunnelError KEY_FILE in one line that never shows what was read
 */
export async function readClientCertificate(
  files: ClientCertificateFiles,
  warn?: (message: string) => void,
): Promise<ClientCertificate> {
  const [{ text: cert }, { text: key, openMode }] = await Promise.all([read(files.cert), read(files.key)])
  const parsed = parseCertificate(files.cert, cert)
  if (!parsed.checkPrivateKey(parseKey(files.key, key)))
    throw unusable(`${files.cert} and ${files.key} do not fit: the key is another certificate's`)
  try {
    // In the middle of a dial, OpenSSL would throw where nobody waits for it.
    createSecureContext({ cert, key })
  } catch (cause) {
    const { reason, code } = cause as { readonly reason?: string; readonly code?: string }
    throw unusable(`OpenSSL does not take ${files.cert} and ${files.key}: ${reason ?? code}`, cause)
  }
  if (openMode !== undefined) warn?.(`other users can read the key in ${files.key} (mode ${openMode}): chmod 600 it`)
  return { cert, key, parsed }
}

/** Its common name, else its first DNS name or URI; undefined when it has none of them. Untrusted text. */
export function nameOf({ parsed }: ClientCertificate): string | undefined {
  const [, common] = /^CN=(.+)$/m.exec(parsed.subject) ?? []
  const [, name] = /(?:^|, )(?:DNS|URI):([^,]+)/.exec(parsed.subjectAltName ?? '') ?? []
  return common ?? name
}

async function read(file: string): ReturnType<typeof readSmallFile> {
  try {
    return await readSmallFile(file, MAX_BYTES, 'KEY_FILE')
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
  } catch {
    // The cause may know what was read, so it stays here.
    const isLocked = /^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(text)
    throw unusable(`${file} ${isLocked ? 'is locked with a passphrase' : 'holds no private key in PEM'}`)
  }
}

const unusable = (message: string, cause?: unknown): TunnelError =>
  new TunnelError('KEY_FILE', message, {
    ...(cause !== undefined && { cause }),
    hint: 'give the PEM files of one pair with --client-cert and --client-key',
  })
