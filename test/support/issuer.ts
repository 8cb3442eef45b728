/**
 * An OIDC issuer in this process, as small as `login` and the gateway need one: discovery, keys, the device grant (RFC 8628)
 * and refresh tokens that are used once (RFC 9700, section 4.14.2).
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { Scope } from './tunnel.ts'

interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

type Answer = readonly [status: number, body: object | string]

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

export class TestIssuer {
  url = ''
  /** Of the person who logs in. */
  claims: Record<string, unknown> = { sub: 'ada' }
  tokenSeconds = 3600
  /** What a poll of the device grant is answered, until it is granted: an error of RFC 8628, section 3.5. */
  device: 'authorization_pending' | 'access_denied' | 'expired_token' | 'granted' = 'granted'
  /** In place of what it would answer at a path. */
  readonly instead = new Map<string, Answer>()
  /** Awaited before an answer is given. */
  before: () => unknown = () => {}
  /** The paths that were asked for. */
  readonly asked: string[] = []
  /** Refresh tokens that were used a second time. */
  reused = 0
  /** Those that were handed out, and may be used. */
  readonly #refresh = new Set<string>()
  #handedOut = 0
  #keys: SigningKey[] = []

  static async start(scope: Scope): Promise<TestIssuer> {
    const issuer = new TestIssuer()
    await issuer.rotate('RS256')
    const server = createServer((request, response) => void issuer.#serve(request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    scope.after(() => {
      server.closeAllConnections()
      server.close()
    })
    return issuer
  }

  /** A refresh token as if it had been handed out. */
  refreshToken(): string {
    const refreshToken = `refresh-${++this.#handedOut}-${Math.random()}`
    this.#refresh.add(refreshToken)
    return refreshToken
  }

  /** Signs with a new key from now on; the old ones are withdrawn. */
  async rotate(alg: 'RS256' | 'ES256' | 'EdDSA' | 'HS256' = 'RS256'): Promise<void> {
    const kid = `${alg}-${Math.random()}`
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    this.#keys = [{ kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }]
  }

  async idToken(claims: Record<string, unknown> = {}): Promise<string> {
    const [key] = this.#keys
    if (key === undefined) throw new Error('no key')
    const iat = Math.floor(Date.now() / 1000)
    const standard = { iss: this.url, aud: 'tunnelctl', iat, exp: iat + this.tokenSeconds }
    return await new SignJWT({ ...standard, ...this.claims, ...claims })
      .setProtectedHeader({ alg: key.alg, kid: key.kid })
      .sign(key.privateKey)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '', this.url).pathname
    this.asked.push(path)
    let form = ''
    for await (const chunk of request) form += String(chunk)
    await this.before()
    const [status, body] = this.instead.get(path) ?? (await this.#answer(path, new URLSearchParams(form)))
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

  async #answer(path: string, form: URLSearchParams): Promise<Answer> {
    switch (path) {
      case '/.well-known/openid-configuration':
        return [200, this.#configuration()]
      case '/jwks':
        return [200, { keys: this.#keys.map(({ jwk }) => jwk) }]
      case '/device': {
        const about = { verification_uri: `${this.url}/enter`, user_code: 'ABCD-EFGH', device_code: 'a device code' }
        return [200, { ...about, expires_in: 600, interval: 1 }]
      }
      case '/token':
        return form.get('grant_type') === DEVICE_GRANT ? await this.#granted() : await this.#renewed(form)
      default:
        return [404, {}]
    }
  }

  #configuration(): object {
    const { url } = this
    return {
      issuer: url,
      jwks_uri: `${url}/jwks`,
      token_endpoint: `${url}/token`,
      device_authorization_endpoint: `${url}/device`,
    }
  }

  async #granted(): Promise<Answer> {
    if (this.device !== 'granted') return [400, { error: this.device }]
    return [200, await this.#tokens()]
  }

  async #renewed(form: URLSearchParams): Promise<Answer> {
    if (this.#refresh.delete(form.get('refresh_token') ?? '')) return [200, await this.#tokens()]
    this.reused++
    return [400, { error: 'invalid_grant' }]
  }

  async #tokens(): Promise<object> {
    return {
      access_token: 'nobody uses it',
      token_type: 'Bearer',
      expires_in: this.tokenSeconds,
      id_token: await this.idToken(),
      refresh_token: this.refreshToken(),
    }
  }
}
