/** The certificate that names this end to the gateway, with its key. */
import type { X509Certificate } from 'node:crypto'
import { type PairFiles, readPair } from '../net/pem.ts'

export interface ClientCertificate {
  /** PEM. */
  readonly cert: string
  readonly key: string
  readonly parsed: X509Certificate
}

/**
 * Read it again for each dial: whoever renews it replaces the files.
 * @param warn told in one line when others than the owner may read the key
 * @throws TunnelError KEY_FILE in one line that never shows what was read
 */
export async function readClientCertificate(
  files: PairFiles,
  warn?: (message: string) => void,
): Promise<ClientCertificate> {
  const { cert, key, certificate, openMode } = await readPair(files, { flags: '--client-cert and --client-key' })
  if (openMode !== undefined) warn?.(`other users can read the key in ${files.key} (mode ${openMode}): chmod 600 it`)
  return { cert, key, parsed: certificate }
}

/** Its common name, else its first DNS name or URI; undefined when it has none of them. Untrusted text. */
export function nameOf({ parsed }: ClientCertificate): string | undefined {
  const [, common] = /^CN=(.+)$/m.exec(parsed.subject) ?? []
  const [, name] = /(?:^|, )(?:DNS|URI):([^,]+)/.exec(parsed.subjectAltName ?? '') ?? []
  return common ?? name
}
