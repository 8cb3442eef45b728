/** The certificate of the middle and of the services' end, for contenders whose legs are TLS. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, scratch } from './child.ts'

/** Files. The certificate has signed itself: whoever dials verifies with it and nothing else. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  /** Both in one, the way HAProxy wants them. */
  readonly pem: string
}

/** What it is made out to, beside 127.0.0.1. */
export const host = 'localhost'

let made: Promise<Certificate> | undefined

/**
 * The same one for all: made for the first who asks.
 * @param openssl the program
 */
export function certificate(openssl: string): Promise<Certificate> {
  made ??= make(openssl)
  return made
}

async function make(openssl: string): Promise<Certificate> {
  const [cert, key, pem] = ['cert.pem', 'key.pem', 'both.pem'].map(name => join(scratch(), name)) as Files
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  // An authority's certificate would do for OpenSSL and Go; rustls takes none for that of a server.
  const extensions = ['basicConstraints=critical,CA:FALSE', `subjectAltName=IP:127.0.0.1,DNS:${host}`]
  const names = ['-subj', `/CN=${host}`, ...extensions.flatMap(extension => ['-addext', extension])]
  const child = new Child('openssl', openssl, ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert])
  if ((await child.finished(10_000)) !== 0) throw new Error(`openssl ${child.end}`)
  writeFileSync(pem, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'), { mode: 0o600 })
  return { cert, key, pem }
}

type Files = [string, string, string]
