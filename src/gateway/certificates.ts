/** The certificates of a TLS server, chosen by the name that a client asks for, and renewed while connections live. */
import type { SecureContext, SecureContextOptions, Server, TlsOptions } from 'node:tls'
import type { Clock } from '../clock.ts'
import type { TunnelError } from '../errors.ts'
import { type PairFiles, readAuthorities } from '../net/pem.ts'
import type { Log } from '../observe/log.ts'
import { type Certificate, loadCertificate, loadNamedCertificate, MIN_TLS_VERSION } from './certificate.ts'
import { Reloaded } from './reloaded.ts'

export interface CertificatesOptions {
  /** The first is the default: for clients that name no host, or one that no certificate has. */
  readonly files: readonly [PairFiles, ...PairFiles[]]
  /** PEM of the authorities whose certificates clients may show; with it they are asked for one, and may have none. */
  readonly clientCa?: string
  readonly log: Log
}

export class Certificates {
  readonly #readings: Reloaded<Choice>
  readonly #asksClients: boolean
  readonly #servers: Set<Server>

  private constructor(readings: Reloaded<Choice>, servers: Set<Server>, asksClients: boolean) {
    this.#readings = readings
    this.#servers = servers
    this.#asksClients = asksClients
  }

  /** @throws TunnelError KEY_FILE: which file, and why; also for one but the first that names no host */
  static async load({ files, clientCa, log }: CertificatesOptions): Promise<Certificates> {
    const servers = new Set<Server>()
    const readings = await Reloaded.load({
      what: 'certificates',
      files: [...files.flatMap(({ cert, key }) => [cert, key]), ...(clientCa === undefined ? [] : [clientCa])],
      read: async () => new Choice(await loadAll(files, clientCa)),
      changed: choice => {
        for (const server of servers) server.setSecureContext(choice.byDefault)
      },
      describe: choice => ({ names: choice.names }),
      log,
    })
    return new Certificates(readings, servers, clientCa !== undefined)
  }

  /** What `tls.createServer` and `https.createServer` need; TLS 1.2 or newer. The server must `follow` as well. */
  get serverOptions(): TlsOptions {
    return {
      ...this.#readings.current.byDefault,
      SNICallback: (name, done) => done(null, this.secureContext(name)),
      // Whom a certificate lets in is for the door to say: a browser has none, and a token may come in its place.
      ...(this.#asksClients && { requestCert: true, rejectUnauthorized: false }),
    }
  }

  /** The names of each certificate, in the order of the files. */
  get names(): readonly (readonly string[])[] {
    return this.#readings.current.names
  }

  /** For a client that asks for `name`. A name itself goes before a wildcard, an earlier file before a later one. */
  secureContext(name: string | undefined): SecureContext {
    return this.#readings.current.certificateOf(name).context
  }

  /**
   * Keeps the default certificate of `server` up to date, until it closes: Node asks no callback for a client that names no
   * host. Other options of its secure context are not kept.
   */
  follow(server: Server): void {
    this.#servers.add(server)
    server.setSecureContext(this.#readings.current.byDefault)
    server.once('close', () => this.#servers.delete(server))
  }

  /** As `Reloaded.reload`: new connections get the new certificates, all at once; those that live are not touched. */
  reload(): Promise<TunnelError | undefined> {
    return this.#readings.reload()
  }

  /** Reloads when a file has changed; gives what ends that. */
  watch(clock: Clock): () => void {
    return this.#readings.watch(clock)
  }
}

/** The certificates of one reading. */
class Choice {
  readonly certificates: readonly [Certificate, ...Certificate[]]
  /** With `*.` in front of those that stand for all names one label below. */
  readonly #byName = new Map<string, Certificate>()

  constructor(certificates: readonly [Certificate, ...Certificate[]]) {
    this.certificates = certificates
    for (const certificate of certificates) {
      for (const name of certificate.names) if (!this.#byName.has(name)) this.#byName.set(name, certificate)
    }
  }

  get names(): readonly (readonly string[])[] {
    return this.certificates.map(({ names }) => names)
  }

  get byDefault(): SecureContextOptions {
    return { ...this.certificates[0].pem, minVersion: MIN_TLS_VERSION }
  }

  certificateOf(name: string | undefined): Certificate {
    const [first] = this.certificates
    if (name === undefined) return first
    const lower = name.toLowerCase()
    return this.#byName.get(lower) ?? this.#byName.get(lower.replace(/^[^.]+/, '*')) ?? first
  }
}

async function loadAll(
  [first, ...more]: CertificatesOptions['files'],
  clientCa: string | undefined,
): Promise<[Certificate, ...Certificate[]]> {
  const ca = clientCa === undefined ? undefined : await readAuthorities(clientCa, '--client-ca')
  const certificates: [Certificate, ...Certificate[]] = [await loadCertificate(first, ca)]
  for (const files of more) certificates.push(await loadNamedCertificate(files, ca))
  return certificates
}
