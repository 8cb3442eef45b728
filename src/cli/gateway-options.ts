/** The options by which a command finds its gateway: where it is, what is believed of it, and what stands in front of it. */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { Option } from 'commander'
import type { GatewayAddress } from '../carrier/approach.ts'
import { readClientCertificate } from '../carrier/client-certificate.ts'
import { parseGatewayUrl } from '../carrier/dial.ts'
import { type Header, looksSecret, onlyOne, parseHeader, readHeaderFile } from '../carrier/headers.ts'
import { TunnelError } from '../errors.ts'
import { isLoopback } from '../net/loopback.ts'
import { quote } from '../net/quote.ts'
import type { Io } from './io.ts'
import { option, refuseSecret } from './options.ts'
import { proxyFor } from './proxy.ts'
import { warn } from './warning.ts'

export interface GatewayFlags {
  readonly gateway?: string
  readonly tokenFile?: string
  readonly caFile?: string
  readonly tlsServerName?: string
  readonly insecureSkipVerify?: boolean
  readonly clientCert?: string
  readonly clientKey?: string
  readonly header?: readonly Header[]
  readonly headerFile?: string
  readonly allowPlaintext?: boolean | string
}

export const gatewayOptions = (): Option[] => [
  option('--gateway <url>', 'the gateway to dial, as wss://gateway.example.com'),
  option('--token-file <file>', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
  option('--ca-file <file>', "PEM file of a private authority that signed the gateway's certificate"),
  option('--tls-server-name <name>', "the name in the gateway's certificate, where it is dialled by another"),
  option(
    '--insecure-skip-verify',
    "do not check the gateway's certificate: whoever is in between gets the token",
  ).conflicts('caFile'),
  option('--client-cert <file>', 'PEM file of a certificate for the gateway, beside a token or in place of it'),
  option('--client-key <file>', 'PEM file of its private key'),
  option(
    '--header <header>',
    'for a proxy in front of the gateway, as "Name: value"; may be repeated; secrets belong into --header-file',
  ).argParser(collectHeader),
  option('--header-file <file>', 'file with such headers, one a line'),
  option('--allow-plaintext', 'send the token without TLS, to a gateway on another machine'),
  new Option('--token [secret]').hideHelp().argParser(refuseSecret),
]

function collectHeader(text: string, before: readonly Header[] = []): readonly Header[] {
  return [...before, onlyOne(parseHeader(text, '--header'), before, '--header')]
}

/** @throws TunnelError USAGE */
export function gatewayUrl({ gateway }: GatewayFlags): URL {
  if (gateway !== undefined) return parseGatewayUrl(gateway)
  throw new TunnelError('USAGE', 'no gateway was given', {
    hint: 'give --gateway URL, set TUNNELCTL_GATEWAY, or keep one with: tunnelctl login --gateway URL',
  })
}

/**
 * Where the gateway is, and how it is reached. Files that each dial reads again are read here too, so that a wrong one is told at
 * once; what is risky is said on stderr.
 * @throws TunnelError USAGE, also when the token would cross a network in the clear; KEY_FILE
 */
export async function gatewayAddress(flags: GatewayFlags, io: Pick<Io, 'env' | 'stderr'>): Promise<GatewayAddress> {
  const url = gatewayUrl(flags)
  const { caFile, tlsServerName, clientCert, clientKey, header, headerFile, allowPlaintext } = flags
  if (url.protocol === 'ws:' && !isLoopback(url.hostname) && !allowPlaintext) {
    throw new TunnelError('USAGE', `${url.host} would get the token in the clear: ws:// has no TLS`, {
      hint: 'write wss://, or give --allow-plaintext where the network is yours alone',
    })
  }
  const insecure = isInsecure(flags, io)
  if (insecure && url.protocol === 'wss:') {
    warn(io, `the certificate of ${url.host} is not checked: whoever is in between gets the token, and all that passes`)
  }
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    throw new TunnelError('USAGE', '--client-cert and --client-key belong together: only one was given', {
      hint: 'give both',
    })
  }
  for (const each of header ?? []) warnIfSecret(each, io)
  const address: GatewayAddress = {
    url,
    ...(caFile !== undefined && { caFile }),
    ...(tlsServerName !== undefined && { serverName: serverNameFrom(tlsServerName) }),
    ...(insecure && { insecure }),
    ...(clientCert && clientKey && { certificate: { cert: clientCert, key: clientKey } }),
    ...(header !== undefined && { headers: header }),
    ...(headerFile !== undefined && { headerFile }),
  }
  if (address.certificate !== undefined) await readClientCertificate(address.certificate, text => warn(io, text))
  if (headerFile !== undefined) await readHeaderFile(headerFile, text => warn(io, text))
  const proxy = await proxyFor(url, io.env)
  return proxy === undefined ? address : { ...address, agent: proxy.agent }
}

/**
 * Commander takes a variable for a flag whatever it says, and `=0` must not mean the opposite of what it says.
 * @throws TunnelError USAGE
 */
function isInsecure({ insecureSkipVerify }: GatewayFlags, { env }: Pick<Io, 'env'>): boolean {
  const { TUNNELCTL_INSECURE_SKIP_VERIFY: said = '1' } = env
  if (!insecureSkipVerify || said === '1' || said === 'true') return insecureSkipVerify === true
  throw new TunnelError('USAGE', `TUNNELCTL_INSECURE_SKIP_VERIFY is ${quote(said)}, which means nothing`, {
    hint: 'unset it, and the certificate of the gateway is checked; 1 switches that off',
  })
}

/** Of the environment, others see nothing. */
function warnIfSecret(header: Header, io: Pick<Io, 'env' | 'stderr'>): void {
  const { TUNNELCTL_HEADER: said } = io.env
  if (!looksSecret(header) || said?.includes(header.value)) return
  warn(io, `every process of this machine can read --header ${header.name}: put it into a file for --header-file`)
}

/** @throws TunnelError USAGE */
function serverNameFrom(text: string): string {
  const name = domainToASCII(text)
  // SNI has no addresses (RFC 6066, section 3).
  if (/^[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9])?$/.test(name) && isIP(name) === 0) return name
  throw new TunnelError('USAGE', `--tls-server-name ${quote(text)} is not the name of a host`, {
    hint: 'give a name that stands in the certificate, as gateway.example.com',
  })
}
