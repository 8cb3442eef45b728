/** Why there is no TLS with a gateway, or with whatever is in its place. */
import type { PeerCertificate } from 'node:tls'
import { TunnelError } from '../errors.ts'
import { quote } from '../net/quote.ts'

/** @param code of Node's error */
export const isOfTls = (code: string): boolean =>
  /^(ERR_TLS|CERT_|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|EPROTO)/.test(code)

type TlsError = NodeJS.ErrnoException & { readonly cert?: Partial<PeerCertificate> }

export function explainTls(url: URL, error: TlsError): TunnelError {
  const [why = error.message, hint] = reasons.get(error.code ?? '') ?? []
  return new TunnelError('TLS', `no secure connection to ${url.host}: ${why}${otherName(error)}`, {
    cause: error,
    ...(hint !== undefined && { hint }),
  })
}

/** Whose the certificate is: that of a login page says so. */
function otherName({ code, cert }: TlsError): string {
  if (code !== OTHER_NAME) return ''
  const [, name] = /(?:^|, )(?:DNS|IP Address):([^,]+)/.exec(cert?.subjectaltname ?? '') ?? []
  return name === undefined ? '' : `, ${quote(name)}`
}

type Reason = readonly [why: string, hint?: string]

const OTHER_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID'

const UNKNOWN = 'its certificate is signed by an authority that this machine does not know'
const GIVE_CA =
  'give its authority with --ca-file; a login page, or a proxy of this network that looks into TLS, may have answered in its place'
const NO_TLS: Reason = ['it does not speak TLS there', 'check the URL of --gateway: without TLS there, write ws://']
const NOT_TAKEN = 'it does not take the certificate of this end'
const GIVE_OWN = 'give one that the gateway takes with --client-cert and --client-key'

const reasons: ReadonlyMap<string, Reason> = new Map<string, Reason>([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', ['its certificate is self-signed', GIVE_CA]],
  ['SELF_SIGNED_CERT_IN_CHAIN', [UNKNOWN, GIVE_CA]],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', [UNKNOWN, GIVE_CA]],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', [UNKNOWN, GIVE_CA]],
  ['CERT_HAS_EXPIRED', ['its certificate has expired']],
  [
    OTHER_NAME,
    [
      'its certificate is for another name',
      'check the URL of --gateway, or give the name with --tls-server-name; a login page of this network may have answered in its place',
    ],
  ],
  ['EPROTO', NO_TLS],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_TLS],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', ['it wants a certificate of this end', GIVE_OWN]],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', ['it does not know the authority of the certificate of this end', GIVE_OWN]],
  ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', [NOT_TAKEN, GIVE_OWN]],
  ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN', [NOT_TAKEN, GIVE_OWN]],
  ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', ['the certificate of this end has expired', GIVE_OWN]],
])
