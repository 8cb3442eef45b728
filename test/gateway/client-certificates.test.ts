import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { Authenticator } from '../../src/gateway/auth.ts'
import { Certificates } from '../../src/gateway/certificates.ts'
import { ClientCertificates } from '../../src/gateway/client-certificates.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { keysById } from '../../src/gateway/keys.ts'
import type { Principal } from '../../src/gateway/principal.ts'
import { certificateId } from '../../src/gateway/revocations.ts'
import { nullLog } from '../../src/observe/log.ts'
import { folder, pair, recorder } from '../support/certificates.ts'
import { makeAuthority, realTest } from '../support/servers.ts'
import { claims, forge, pair as issuer, now } from './forge.ts'

const openssl = { programs: ['openssl'], packages: 'openssl' }

const RULES = `
certificates:
  - san: URI:spiffe://example.com/agent/*
    agent: prod
  - san: email:*@example.com
    agents: [prod]
    allow: [api/prod:8080]
  - subject: O=Example,CN=ann
    agents: ['*']
    allow: [db/dev:5432]
`

interface Shown {
  readonly cert?: string
  readonly key?: string
  readonly token?: string
}

async function gateway(t: TestContext, ca: string, revoked: ReadonlySet<string> = new Set()) {
  const file = join(folder(t), 'rules.yaml')
  writeFileSync(file, RULES)
  const rules = await ClientCertificates.load(file)
  const seen: Principal[] = []
  const keys = keysById([issuer.publicJwks])
  class Watching extends Authenticator {
    override async authenticate(request: Parameters<Authenticator['authenticate']>[0]): Promise<Principal> {
      const principal = await super.authenticate(request)
      seen.push(principal)
      return principal
    }
  }
  const subject = new Gateway({
    listen: { host: '127.0.0.1', port: 0 },
    authenticator: new Watching({
      keys: () => keys,
      certificates: () => rules,
      isRevoked: ({ tokenId }) => revoked.has(tokenId),
      now: () => now,
    }),
    certificates: await Certificates.load({
      files: [await pair(t, ['DNS:localhost'])],
      clientCa: ca,
      log: recorder().log,
    }),
    software: 'test',
    clock: systemClock,
    wallNow: () => now,
    drainTimeoutMs: 0,
    log: nullLog,
  })
  const stopper = new AbortController()
  let ended: Promise<void> = Promise.resolve()
  const url = await new Promise<string>(resolve => {
    ended = subject.run(stopper.signal, addresses => resolve(addresses.url))
  })
  t.after(async () => {
    stopper.abort()
    await ended
  })
  const ask = (shown: Shown) =>
    new Promise<string>((resolve, reject) => {
      const { cert, key, token } = shown
      const request = httpsRequest(`https://localhost:${new URL(url).port}/v1/services`, {
        agent: false,
        rejectUnauthorized: false,
        ...(cert !== undefined && { cert: readFileSync(cert) }),
        ...(key !== undefined && { key: readFileSync(key) }),
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      })
      request.on('error', reject).on('response', response => {
        let text = ''
        response.on('data', chunk => {
          text += String(chunk)
        })
        response.on('end', () => resolve(`${response.statusCode} ${text.trim()}`))
      })
      request.end()
    })
  return { ask, seen }
}

realTest('a certificate of the authority stands for whom the rules name', openssl, async t => {
  const authority = await makeAuthority(t, folder(t))
  const { ask, seen } = await gateway(t, authority.ca)
  assert.match(await ask(await authority.sign('/CN=x', ['email:ann@example.com'])), /^200 /)
  assert.match(await ask(await authority.sign('/O=Example/OU=it/CN=ann')), /^200 /)
  const agent = await authority.sign('/CN=agent', ['DNS:a.example', 'URI:spiffe://example.com/agent/prod'])
  assert.match(await ask(agent), /^403 the token is for role agent/)
  assert.deepEqual(
    seen.map(({ role, subject, agents, allow }) => [role, subject, agents[0], allow.map(({ text }) => text)]),
    [
      ['connect', 'email:ann@example.com', 'prod', ['api/prod:8080']],
      ['connect', 'O=Example,OU=it,CN=ann', '*', ['db/dev:5432']],
      ['agent', 'URI:spiffe://example.com/agent/prod', 'prod', []],
    ],
  )
  // Thirty days: an end that stays for longer is asked to come again, as with a token.
  for (const { expiresAt } of seen) assert.ok(expiresAt > Date.now() + 29 * 24 * 3_600_000)
})

realTest('a certificate that stands for nobody, of a stranger, or revoked, does not let in', openssl, async t => {
  const authority = await makeAuthority(t, folder(t))
  const stranger = await makeAuthority(t, folder(t))
  const revoked = new Set<string>()
  const { ask, seen } = await gateway(t, authority.ca, revoked)
  assert.match(await ask({}), /^401 no token/)
  assert.match(await ask(await authority.sign('/CN=ann')), /^401 the certificate of the client stands for nobody/)
  // A name in the wrong place, and one that only looks like two.
  assert.match(await ask(await authority.sign('/CN=email:ann@example.com')), /^401 .*nobody/)
  assert.match(await ask(await authority.sign('/O=Example,CN=ann')), /^401 .*nobody/)
  assert.match(await ask(await authority.sign('/CN=x', ['DNS:x.email:ann@example.com'])), /^401 .*nobody/)
  const foreign = await stranger.sign('/CN=x', ['email:ann@example.com'])
  assert.match(await ask(foreign), /^401 the certificate of the client is no good: \w+/)
  const good = await authority.sign('/CN=x', ['email:ann@example.com'])
  assert.match(await ask(good), /^200/)
  revoked.add(seen.at(-1)?.tokenId ?? assert.fail())
  assert.match(await ask(good), /^401 .*revoked/)
  assert.equal(certificateId('00:0a'), certificateId('A'))
})

realTest('a token and a certificate that is somebody are two credentials: 400', openssl, async t => {
  const authority = await makeAuthority(t, folder(t))
  const stranger = await makeAuthority(t, folder(t))
  const { ask } = await gateway(t, authority.ca)
  const token = forge(claims)
  assert.match(await ask({ token }), /^200/)
  assert.match(await ask({ token, ...(await authority.sign('/CN=x', ['email:ann@example.com'])) }), /^400 /)
  // One that proves nothing may come with every connection of a browser or a proxy.
  assert.match(await ask({ token, ...(await authority.sign('/CN=nobody')) }), /^200/)
  assert.match(await ask({ token, ...(await stranger.sign('/CN=x', ['email:ann@example.com'])) }), /^200/)
})

test('what is wrong in the rules is named', async t => {
  const table: [string, RegExp][] = [
    ['- san: URI:x', /rule 1: agents is not a list/],
    ['- agent: prod', /either san or subject/],
    ['- {san: "URI:x", subject: "CN=a", agent: prod}', /either san or subject/],
    ['- {san: ann, agent: prod}', /no name as URI/],
    ['- {subject: ann, agent: prod}', /no subject as/],
    ['- {san: "URI:x", agent: "*"}', /no name of one/],
    ['- {san: "URI:x", agent: prod, allow: ["a/b:1"]}', /allowed nothing/],
    ['- {san: "URI:x", agents: ["."], allow: ["a/b:1"]}', /not the name of an agent/],
    ['- {san: "URI:x", agents: [a], allow: ["a"]}', /malformed pattern/],
    ['- {san: "URI:x", agents: [a], alow: ["a"]}', /"alow", which means nothing/],
  ]
  for (const [text, message] of table) {
    const file = join(folder(t), 'rules.yaml')
    writeFileSync(file, `certificates:\n  ${text}\n`)
    await assert.rejects(ClientCertificates.load(file), { code: 'USAGE', message }, text)
  }
})
