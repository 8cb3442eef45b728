import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Authenticator } from '../../src/gateway/auth.ts'
import { Cluster, parseClusters } from '../../src/gateway/cluster.ts'
import { TestIssuer } from '../support/issuer.ts'
import { KubeApi } from '../support/kube-api.ts'
import { makeFolder, removeFolder } from '../support/processes.ts'
import type { Scope } from '../support/tunnel.ts'
import { bearer, refused } from './forge.ts'

const sub = 'system:serviceaccount:tunnelctl:agent'
const agents = 'agents: [{ account: tunnelctl/agent, name: prod }]'

async function world(scope: Scope, more = '') {
  const issuer = await TestIssuer.start(scope)
  issuer.claims = { sub, aud: ['tunnelctl-gateway'] }
  const clusters = parseClusters(`clusters: [{ issuer: '${issuer.url}', ${more} ${agents} }]`, 'clusters.yaml')
  const at = new Authenticator({ clusters: clusters.map(each => new Cluster(each, () => 0)), now: Date.now })
  return { issuer, at }
}

test('the token of a service account stands for the agent that the operator has named', async t => {
  const { issuer, at } = await world(t)
  const principal = await at.authenticate(bearer(await issuer.idToken()))
  assert.deepEqual([principal.role, principal.subject, principal.agents, principal.allow], ['agent', sub, ['prod'], []])
  assert.ok(principal.expiresAt > Date.now())
})

test('another account, somebody who is none, another audience, and another issuer are refused', async t => {
  const { issuer, at } = await world(t)
  await refused(bearer(await issuer.idToken({ sub: `${sub}x` })), 403, /is no agent of this gateway/, at)
  await refused(bearer(await issuer.idToken({ sub: 'agent' })), 403, /"agent" is no agent/, at)
  await refused(bearer(await issuer.idToken({ sub: `${sub}:more` })), 403, /is no agent/, at)
  await refused(bearer(await issuer.idToken({ aud: ['https://kubernetes.default.svc'] })), 401, /wrong audience/, at)
  const other = await TestIssuer.start(t)
  await refused(bearer(await other.idToken({ sub, aud: ['tunnelctl-gateway'] })), 401, /key|issuer|signed/, at)
  await other.rotate('RS256')
  await refused(
    bearer(await other.idToken({ iss: issuer.url, sub, aud: ['tunnelctl-gateway'] })),
    401,
    /no key with its id/,
    at,
  )
})

test('keys may come in a file, which is read again when the cluster has new ones', async t => {
  const folder = makeFolder()
  t.after(() => removeFolder(folder))
  const issuer = await TestIssuer.start(t)
  issuer.claims = { sub, aud: ['tunnelctl-gateway'] }
  const file = `${folder}/jwks.json`
  const write = async () => writeFileSync(file, await (await fetch(`${issuer.url}/jwks`)).text())
  await write()
  const clock = { ms: 0 }
  const text = `clusters: [{ issuer: 'https://private.example', keys: '${file}', ${agents} }]`
  const clusters = parseClusters(text, 'c').map(each => new Cluster(each, () => clock.ms))
  const at = new Authenticator({ clusters, now: Date.now })
  const token = () => issuer.idToken({ iss: 'https://private.example' })
  assert.deepEqual((await at.authenticate(bearer(await token()))).agents, ['prod'])
  await issuer.rotate('ES256')
  await write()
  clock.ms += 31_000
  assert.deepEqual((await at.authenticate(bearer(await token()))).agents, ['prod'])
  assert.ok(!issuer.asked.includes('/.well-known/openid-configuration'))
})

test('with review the cluster itself says whether a token holds, for this audience', async t => {
  const kube = await KubeApi.start(t)
  const { issuer, at } = await world(t, `review: true, api: '${kube.url}',`)
  const token = await issuer.idToken()
  await refused(bearer(token), 401, /the cluster does not know this token/, at)
  const good = { authenticated: true, audiences: ['tunnelctl-gateway'], user: { username: sub } }
  kube.reviews.set(token, good)
  assert.deepEqual((await at.authenticate(bearer(token))).agents, ['prod'])
  assert.deepEqual(kube.asked.at(-1), 'review for tunnelctl-gateway')
  for (const [status, why] of [
    [{ ...good, authenticated: 'true' }, /does not know/],
    [{ ...good, audiences: undefined }, /does not know/],
    [{ ...good, audiences: ['https://kubernetes.default.svc'] }, /does not know/],
    [{ ...good, user: { username: 'system:serviceaccount:tunnelctl:other' } }, /not that of a service account/],
  ] as const) {
    kube.reviews.set(token, status)
    await refused(bearer(token), 401, why, at)
  }
  kube.refusals.set('tokenreviews', { status: 403, message: 'forbidden' })
  await refused(bearer(token), 503, /may not review tokens: bind it to system:auth-delegator/, at)
  kube.refusals.set('tokenreviews', { status: 500, message: 'away' })
  await refused(bearer(token), 503, /does not answer/, at)
})

test('what is wrong in the file is named', () => {
  const cluster = (fields: string): string => `clusters: [{ issuer: 'https://c.example', ${fields} }]`
  for (const [text, why] of [
    ['', /it is not a map/],
    ['clusters: []', /clusters is not a list/],
    ['clusters: [{}]', /issuer is not a text/],
    [`clusters: [{ issuer: 'http://c.example', ${agents} }]`, /the issuer is no https URL/],
    [cluster('agents: []'), /agents is not a list/],
    [cluster('agents: [{ account: agent, name: prod }]'), /an account is written namespace\/name/],
    [cluster("agents: [{ account: a/b, name: 'A B' }]"), /name is not one of an agent/],
    [cluster('agents: [{ account: a/b, name: x }, { account: a/b, name: y }]'), /a\/b is there twice/],
    [cluster(`review: maybe, ${agents}`), /review is true or false/],
    [cluster(`review: true, keys: x, ${agents}`), /two ways to one end/],
    [cluster(`review: true, ${agents}`), /it runs in none/],
    [cluster(`token: x, ${agents}`), /has "token"/],
    [`clusters: [{ issuer: 'https://c', ${agents} }, { issuer: 'https://c', ${agents} }]`, /two have one issuer/],
  ] as const) {
    assert.throws(() => parseClusters(text, 'c.yaml'), { code: 'USAGE', message: why }, text)
  }
})
