/** Keys that are changed, and access that is taken back, while the gateway runs and people are there. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateKeyPair } from '../../src/token/keys.ts'
import { createToken } from '../../src/token/token.ts'
import { ask, asking, hostFor, portOf, serveHttp } from '../support/ingress.ts'
import { dial, echoed, outcome, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const HOUR_MS = 3_600_000

/** As kubectl and editors do it: the new file takes the place of the old one. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

test('a key is changed without anybody being cut off, and what the old one has signed comes in no more', async t => {
  const site = await Site.create(t)
  const [old, next] = [await generateKeyPair(), await generateKeyPair()]
  const keys = join(site.folder, 'keys.json')
  const publicKeys = (...pairs: (typeof old)[]) => JSON.stringify({ keys: pairs.flatMap(each => each.publicJwks.keys) })
  replace(keys, publicKeys(old))
  const tokenBy = async ({ privateJwk }: typeof old, name: string) => {
    const request = { role: 'connect', subject: name, agents: ['home'], allow: ['*/*:*'] } as const
    return site.file(`${name}.token`, await createToken(privateJwk, { ...request, ttlMs: HOUR_MS, now: Date.now() }))
  }
  const gateway = await site.gateway(['--verify-key', keys])
  await site.agent(gateway, serviceArgs({ 'echo/prod:7': await serveEcho(t) }))
  const [byOld, byNext] = [await tokenBy(old, 'old'), await tokenBy(next, 'next')]
  const connect = await site.connect(gateway, ['echo/prod:7'], { tokenFile: byOld })
  const socket = await dial(connect.port('echo/prod:7'))
  await echoed(socket, 'with the old key')
  const ask = async (tokenFile: string) =>
    (await site.run('services', ['services', '--gateway', gateway.url, '--token-file', tokenFile]).exited).code
  const reload = async (text: string, ids: number) => {
    replace(keys, text)
    process.kill(gateway.process.pid, 'SIGHUP')
    await gateway.process.event('verify keys reloaded', event => (event.ids as unknown[]).length === ids)
  }
  assert.deepEqual([await ask(byOld), await ask(byNext)], [0, 3])
  await reload(publicKeys(old, next), 3)
  assert.deepEqual([await ask(byOld), await ask(byNext)], [0, 0])
  replace(keys, '{')
  process.kill(gateway.process.pid, 'SIGHUP')
  await gateway.process.event('verify keys not reloaded')
  assert.equal(await ask(byOld), 0)
  await reload(publicKeys(next), 2)
  assert.deepEqual([await ask(byOld), await ask(byNext)], [3, 0])
  await echoed(socket, 'whoever is here stays')
  socket.destroy()
})

test('who is revoked is out at once, with all that is open, and nobody else is', async t => {
  const site = await Site.create(t)
  const revoked = site.file('revoked.yaml', '')
  const gateway = await site.gateway(['--revoked', revoked, '--ingress-domain', 'in.test'])
  const held = await serveHttp(t, (_request, response) => response.writeHead(200).write('the first part'))
  await site.agent(gateway, serviceArgs({ 'echo/prod:7': await serveEcho(t), 'web/prod:80': held.port }))
  const [ann, bob] = await Promise.all(
    ['ann', 'bob'].map(async subject => ({ subject, tokenFile: await site.token({ role: 'connect', subject }) })),
  )
  assert.ok(ann && bob)
  const [anns, bobs] = await Promise.all([ann, bob].map(each => site.connect(gateway, ['echo/prod:7'], each)))
  assert.ok(anns && bobs)
  const [hers, his] = await Promise.all([anns, bobs].map(each => dial(each.port('echo/prod:7'))))
  assert.ok(hers && his)
  await echoed(hers, 'hers')
  const token = await site.tokenText({ role: 'connect', subject: 'ann', allow: ['web/prod:80'] })
  const headers = { 'proxy-authorization': `Bearer ${token}` }
  const { request, answered } = asking(portOf(gateway), { target: 'web/prod:80', headers })
  request.end()
  const download = await answered
  const cut = once(download, 'error')
  download.resume()
  const ended = outcome(hers)
  replace(revoked, 'subjects: [ann]\n')
  process.kill(gateway.process.pid, 'SIGHUP')
  await gateway.process.event('revoked', ({ subject }) => subject === 'ann')
  await gateway.process.event('disconnected', ({ subject, code }) => subject === 'ann' && code === 4401)
  assert.equal((await anns.process.exited).code, 3)
  assert.match(anns.process.stderr, /revoked/)
  assert.equal(await ended, 'ECONNRESET')
  assert.match(String((await cut)[0]), /aborted/)
  await gateway.process.event('request', ({ code }) => code === 'REVOKED')
  const again = await ask(portOf(gateway), {
    target: 'web/prod:80',
    headers: { ...headers, host: hostFor('web/prod:80') },
  })
  assert.equal(again.status, 407)
  await echoed(his, 'his')
  his.destroy()
})

test('a token that was made for too long is refused, whatever time it has left', async t => {
  const site = await Site.create(t)
  const gateway = await site.gateway(['--max-token-ttl', '1h'])
  const [short, long] = await Promise.all([HOUR_MS, 3 * HOUR_MS].map(ttlMs => site.token({ role: 'connect', ttlMs })))
  const run = (tokenFile = '') =>
    site.run('services', ['services', '--gateway', gateway.url, '--token-file', tokenFile])
  assert.equal((await run(short).exited).code, 0)
  const refused = run(long)
  assert.equal((await refused.exited).code, 3)
  assert.match(refused.stderr, /the token is made for 3 h, and this gateway takes at most 60 min/)
})
