/** Tokens made by hand, and what must hold for every refusal of one. */
import assert from 'node:assert/strict'
import { createPrivateKey, sign } from 'node:crypto'
import { asTunnelError, type TunnelError } from '../../src/errors.ts'
import { Authenticator, type DoorRequest, statusOf } from '../../src/gateway/auth.ts'
import { keysById } from '../../src/gateway/keys.ts'
import type { Principal } from '../../src/gateway/principal.ts'
import { generateKeyPair, type PrivateJwk } from '../../src/token/keys.ts'

export const now = 1_700_000_000_000
export const iat = now / 1000
/** In seconds. */
export const hour = 3600
export const pair = await generateKeyPair()
export const stranger = await generateKeyPair()
export const authenticator = new Authenticator({ keys: () => keysById([pair.publicJwks]), now: () => now })

export const claims = {
  iss: 'tunnelctl',
  aud: 'tunnelctl',
  role: 'connect',
  sub: 'alice',
  agents: ['home'],
  allow: ['api/prod:8080'],
  iat,
  exp: iat + hour,
  jti: 'one',
}
export const header = { alg: 'EdDSA', typ: 'JWT', kid: pair.privateJwk.kid }

export const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

export function ed25519(input: string, { kty, crv, x, d }: PrivateJwk = pair.privateJwk): Buffer {
  return sign(null, Buffer.from(input), createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' }))
}

/** A token made by hand, so that it may say what no library would write. */
export function forge(
  payload: unknown,
  head: unknown = header,
  signer: (input: string) => Buffer = input => ed25519(input),
): string {
  const input = `${part(head)}.${part(payload)}`
  return `${input}.${signer(input).toString('base64url')}`
}

export const bearer = (token: string): DoorRequest => ({
  rawHeaders: ['Authorization', `Bearer ${token}`],
  url: '/v1/connect',
})

/** The refusal, after the checks that hold for all of them. */
export async function refusal(request: DoorRequest, at = authenticator): Promise<TunnelError> {
  let principal: Principal
  try {
    principal = await at.authenticate(request)
  } catch (thrown) {
    const error = asTunnelError(thrown)
    assert.equal(error.cause, undefined, 'a cause may carry the claims or the input')
    const shown = `${error.message} ${error.hint} ${error.stack}`
    for (const text of [...request.rawHeaders, request.url ?? ''].flatMap(value => value.split(/[ .?&=]/))) {
      if (text.length >= 16 && !/^sec-websocket-protocol$/i.test(text)) assert.ok(!shown.includes(text), shown)
    }
    return error
  }
  return assert.fail(`let in: ${JSON.stringify(principal)}`)
}

export async function refused(request: DoorRequest, status: number, why: RegExp, at = authenticator): Promise<void> {
  const error = await refusal(request, at)
  assert.equal(statusOf(error), status, error.message)
  assert.match(error.message, why)
}
