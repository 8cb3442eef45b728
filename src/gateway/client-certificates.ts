/**
 * Ends that come with a certificate in place of a token. The operator says which authority vouches for them, and who they are, by
 * a name in subjectAltName or by parts of the subject:
 *
 *     certificates:
 *       - san: URI:spiffe://example.com/agent/prod
 *         agent: prod
 *       - san: email:*@example.com
 *         agents: [prod]
 *         allow: [api/prod:8080]
 *       - subject: O=Example,CN=ann
 *         agents: [prod]
 *         allow: [web/dev:80]
 *
 * The first that fits holds.
 */
import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import type { TunnelError } from '../errors.ts'
import { isAgentGlob, isAgentName, isSubject } from '../net/claims.ts'
import { globMatches, parsePattern } from '../net/pattern.ts'
import { quote } from '../net/quote.ts'
import { refused } from './jwt.ts'
import { freezePrincipal, type Principal } from './principal.ts'
import { certificateId } from './revocations.ts'
import { Settings } from './settings.ts'

interface Rule {
  /** The name that a certificate is known by, if it fits. */
  readonly nameIn: (certificate: X509Certificate) => string | undefined
  readonly grant: Pick<Principal, 'role' | 'agents' | 'allow'>
}

const HINT = 'see "Certificates in place of tokens" in docs/operations.md'

export class ClientCertificates {
  readonly #rules: readonly Rule[]

  private constructor(rules: readonly Rule[]) {
    this.#rules = rules
  }

  /** @throws TunnelError USAGE naming the first thing that is wrong */
  static async load(file: string): Promise<ClientCertificates> {
    const settings = await Settings.load(file, 'rules', HINT)
    const { certificates } = settings.fields(settings.value, ['certificates'], 'it')
    const rules = settings.list(certificates, 'certificates')
    return new ClientCertificates(rules.map((each, index) => ruleOf(settings, each, `rule ${index + 1}`)))
  }

  /**
   * Whom the certificate stands for that the client of `socket` has shown; undefined when it has shown none.
   * @returns the UNAUTHENTICATED of one that is no good: with a token beside it, it does not matter
   */
  principal(socket: object | undefined, now: number): Principal | TunnelError | undefined {
    if (!(socket instanceof TLSSocket)) return undefined
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) return undefined
    if (!socket.authorized) return refused(`the certificate of the client is no good: ${reasonOf(socket)}`, NEW)
    const expiresAt = Date.parse(certificate.validTo)
    // A resumed session of TLS says what was found when it began.
    if (!(expiresAt > now)) return refused('the certificate of the client has expired', NEW)
    for (const { nameIn, grant } of this.#rules) {
      const subject = nameIn(certificate)
      if (subject === undefined || !isSubject(subject)) continue
      return freezePrincipal({ ...grant, subject, expiresAt, tokenId: certificateId(certificate.serialNumber) })
    }
    return refused('the certificate of the client stands for nobody here', 'ask the operator')
  }
}

const NEW = 'get a new certificate of the authority that the gateway knows'

/** OpenSSL's name for it, such as CERT_HAS_EXPIRED; Node declares an Error and gives its code. */
const reasonOf = ({ authorizationError }: TLSSocket): string => String(authorizationError ?? 'not verified')

function ruleOf(settings: Settings, value: unknown, what: string): Rule {
  const known = ['san', 'subject', 'agent', 'agents', 'allow']
  const { san, subject, ...grant } = settings.fields(value, known, what)
  if ((san === undefined) === (subject === undefined)) throw settings.malformed(`${what}: give either san or subject`)
  const name = settings.text(san ?? subject, `${what}: its name`)
  const nameIn = san === undefined ? subjectHolding(name) : alternativeLike(name)
  if (san !== undefined && !/^(DNS|URI|email|IP Address):./.test(name))
    throw settings.malformed(`${what}: ${quote(name)} is no name as URI:…, DNS:… or email:…`)
  if (san === undefined && !/^[A-Za-z0-9.]+=[^,]+(,[A-Za-z0-9.]+=[^,]+)*$/.test(name))
    throw settings.malformed(`${what}: ${quote(name)} is no subject as O=Example,CN=ann`)
  return { nameIn, grant: grantOf(settings, grant, what) }
}

function grantOf(settings: Settings, { agent, agents, allow }: Record<string, unknown>, what: string): Rule['grant'] {
  if (agent !== undefined) {
    if (agents !== undefined || allow !== undefined)
      throw settings.malformed(`${what}: an agent is allowed nothing: agents and allow are for those who connect`)
    if (typeof agent !== 'string' || !isAgentName(agent)) throw settings.malformed(`${what}: agent is no name of one`)
    return { role: 'agent', agents: [agent], allow: [] }
  }
  const names = settings.texts(agents, `${what}: agents`)
  const wrong = names.find(each => !isAgentGlob(each))
  if (wrong !== undefined) throw settings.malformed(`${what}: ${quote(wrong)} is not the name of an agent`)
  const patterns = settings.texts(allow, `${what}: allow`)
  return { role: 'connect', agents: names, allow: settings.parsed(what, () => patterns.map(parsePattern)) }
}

/** Node puts quotes around a name with a comma in it, so that each entry ends at the next one. */
const alternativeLike = (glob: string) => (certificate: X509Certificate) =>
  certificate.subjectAltName?.split(', ').find(name => globMatches(glob, name))

const subjectHolding = (text: string) => {
  const parts = text.split(',')
  return ({ subject }: X509Certificate) => {
    const lines = subject.split('\n')
    // The whole subject: several may fit one rule, and are not one.
    return parts.every(part => lines.includes(part)) ? lines.join(',') : undefined
  }
}
