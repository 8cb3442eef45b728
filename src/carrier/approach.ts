/** What a request to a gateway is made with: TLS, certificates, headers. Files are read again each time, for they are renewed. */
import { readFileSync } from 'node:fs'
import type { Agent } from 'node:http'
import { TunnelError } from '../errors.ts'
import type { PairFiles } from '../net/pem.ts'
import { explainFileError } from '../net/smallfile.ts'
import { readClientCertificate } from './client-certificate.ts'
import { asFields, type Header, readHeaderFile } from './headers.ts'

export interface GatewayAddress {
  /** `ws:` or `wss:`, with a path if the gateway lives under one. */
  readonly url: URL
  /** PEM file of the certificate authority that has signed the gateway's certificate. */
  readonly caFile?: string
  /** The name that the gateway's certificate must have, and that is sent as SNI. Absent: that of the URL. */
  readonly serverName?: string
  /** The gateway's certificate is not checked: whoever is in between gets the token. */
  readonly insecure?: boolean
  /** Names this end to the gateway. */
  readonly certificate?: PairFiles
  /** For what stands in front of the gateway. Never sent to the proxy that `agent` goes through. */
  readonly headers?: readonly Header[]
  /** A file with more of them. */
  readonly headerFile?: string
  /** Makes the connection, through a proxy. Absent: it is made directly. */
  readonly agent?: Agent
}

/** Options of Node's `tls.connect`. */
export interface Trust {
  readonly ca?: string
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
  readonly cert?: string
  readonly key?: string
}

/** Options of Node's `request`, and of `ws`. */
export interface Approach extends Trust {
  readonly headers: Record<string, string>
  readonly agent?: Agent
}

/** @throws TunnelError USAGE, KEY_FILE: a file is not what it should be */
export async function approach(address: GatewayAddress, token: string | undefined): Promise<Approach> {
  const { headers = [], headerFile, agent } = address
  const more = headerFile === undefined ? [] : await readHeaderFile(headerFile)
  return {
    ...(await trust(address)),
    headers: {
      ...asFields([...headers, ...more]),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(agent !== undefined && { agent }),
  }
}

/** @throws TunnelError USAGE, KEY_FILE */
export async function trust({ caFile, serverName, insecure, certificate }: GatewayAddress): Promise<Trust> {
  const own = certificate === undefined ? undefined : await readClientCertificate(certificate)
  return {
    ...(caFile !== undefined && { ca: readCa(caFile) }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(insecure && { rejectUnauthorized: false }),
    ...(own !== undefined && { cert: own.cert, key: own.key }),
  }
}

function readCa(file: string): string {
  const hint = 'give the PEM file of the authority with --ca-file'
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new TunnelError('USAGE', `cannot read the CA file ${file}: ${explainFileError(cause)}`, { cause, hint })
  }
  // TLS would pass over anything else in silence, and then know no authority at all.
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw new TunnelError('USAGE', `the CA file ${file} holds no certificate`, { hint })
}
