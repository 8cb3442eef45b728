/** The certificates of a TLS server, chosen by the name that a client asks for, and renewed while connections live. */
import type { SecureContext, SecureContextOptions, Server, TlsOptions } from 'node:tls'
import type { Clock } from '../clock.ts'
import { asTunnelError, type TunnelError } from '../errors.ts'
import type { Log } from '../observe/log.ts'
import { type Certificate, type CertificateFiles, loadCertificate, MIN_TLS_VERSION, unusable } from './certificate.ts'
import { WatchedFiles } from './watched-files.ts'

export interface CertificatesOptions {
  /** The first is the default: for clients that name no host, or one that no certificate has. */
  readonly files: readonly [CertificateFiles, ...CertificateFiles[]]
  readonly log: Log
}

export class Certificates {
  readonly #options: CertificatesOptions
  readonly #servers = new Set<Server>()
  #chosen: Choice
  readonly #files: WatchedFiles
  #reloading: Promise<unknown> = Promise.resolve()

  private constructor(options: CertificatesOptions, chosen: Choice, files: WatchedFiles) {
    this.#options = options
    this.#chosen = chosen
    this.#files = files
  }

  /** @throws TunnelError KEY_FILE: which file, and why; also for one but the first that names no host */
  static async load(options: CertificatesOptions): Promise<Certificates> {
    const files = new WatchedFiles(options.files.flatMap(({ cert, key }) => [cert, key]))
    await files.note()
    return new Certificates(options, new Choice(await loadAll(options.files)), files)
  }

  /** What `tls.createServer` and `https.createServer` need; TLS 1.2 or newer. The server must `follow` as well. */
  get serverOptions(): TlsOptions {
    return {
      ...this.#chosen.byDefault,
      SNICallback: (name, done) => done(null, this.secureContext(name)),
    }
  }

  /** The names of each certificate, in the order of the files. */
  get names(): readonly (readonly string[])[] {
    return this.#chosen.certificates.map(({ names }) => names)
  }

  /** For a client that asks for `name`. A name itself goes before a wildcard, an earlier file before a later one. */
  secureContext(name: string | undefined): SecureContext {
    return this.#chosen.certificateOf(name).context
  }

  /**
   * Keeps the default certificate of `server` up to date, until it closes: Node asks no callback for a client that names no
   * host. Other options of its secure context are not kept.
   */
  follow(server: Server): void {
    this.#servers.add(server)
    server.setSecureContext(this.#chosen.byDefault)
    server.once('close', () => this.#servers.delete(server))
  }

  /**
   * Reads all files again. New connections get the new certificates, all at once; those that live are not touched. Resolves with
   * the failure when one is unusable, and the old ones stay. Both are logged. Never rejects.
   */
  reload(): Promise<TunnelError | undefined> {
    // One after the other, or an older reading could replace a newer one.
    const reloaded = this.#reloading.then(() => this.#replace())
    this.#reloading = reloaded
    return reloaded
  }

  /** Reloads when a file has changed; gives what ends that. */
  watch(clock: Clock): () => void {
    return this.#files.watch(clock, () => this.reload())
  }

  async #replace(): Promise<TunnelError | undefined> {
    const { files, log } = this.#options
    await this.#files.note()
    try {
      this.#chosen = new Choice(await loadAll(files))
      for (const server of this.#servers) server.setSecureContext(this.#chosen.byDefault)
      log.info('certificates reloaded', { names: this.names })
      return undefined
    } catch (thrown) {
      const error = asTunnelError(thrown)
      log.error('certificates not reloaded', { error })
      return error
    }
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

async function loadAll([first, ...more]: CertificatesOptions['files']): Promise<[Certificate, ...Certificate[]]> {
  const certificates: [Certificate, ...Certificate[]] = [await loadCertificate(first)]
  for (const files of more) {
    const certificate = await loadCertificate(files)
    if (certificate.names.length === 0)
      throw unusable(`${files.cert} has no DNS name in subjectAltName: nobody would get it`)
    certificates.push(certificate)
  }
  return certificates
}
