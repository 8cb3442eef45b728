/** What a gateway and an agent answer themselves to whoever measures a path, and to no more than that. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { eventually } from '../support/processes.ts'
import { dial } from '../support/sockets.ts'
import { Site } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
await site.agent(gateway)
const token = await site.tokenText({ role: 'connect', allow: ['db/prod:5432'] })
const endpoint = `http://${gateway.address}/v1/measure`
const headers = { authorization: `Bearer ${token}` }

test('the gateway counts and sends for tokens of connect alone', async () => {
  const body = Buffer.alloc(100_000)
  assert.equal(await (await fetch(endpoint, { method: 'POST', headers, body })).text(), '100000')
  assert.equal((await fetch(endpoint)).status, 401)
  const agent = { authorization: `Bearer ${await site.tokenText({ role: 'agent' })}` }
  assert.equal((await fetch(endpoint, { headers: agent })).status, 403)
  assert.equal((await fetch(endpoint, { headers: { ...headers, origin: 'https://evil.example' } })).status, 403)
  assert.equal((await fetch(endpoint, { method: 'PUT', headers })).status, 404)
})

test('four at a time, and the others are told so', async () => {
  const held = await Promise.all([1, 2, 3, 4].map(() => fetch(endpoint, { headers })))
  assert.deepEqual(
    held.map(({ status }) => status),
    [200, 200, 200, 200],
  )
  const fifth = await fetch(endpoint, { headers })
  assert.equal(fifth.status, 503)
  for (const { body } of held) await body?.cancel()
  await eventually(
    async () => {
      const again = await fetch(endpoint, { headers })
      await again.body?.cancel()
      return again.status === 200
    },
    () => 'nobody is let in any more',
  )
})

test('the agent counts what comes, and holds four at a time, for a token that allows it no service', async () => {
  const tokenFile = await site.token({ role: 'connect', allow: ['db/prod:5432'] })
  const connect = await site.connect(gateway, ['0/0:measure'], { tokenFile })
  const port = connect.port('0/0:measure')
  const socket = await dial(port)
  socket.end(`u${'x'.repeat(999)}`)
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  assert.equal(answer, '1000')
  const held = await Promise.all([1, 2, 3, 4].map(() => dial(port)))
  for (const each of held) {
    each.write('d')
    await once(each, 'readable')
  }
  const fifth = await dial(port)
  fifth.on('error', () => {})
  await connect.process.event('error', ({ code }) => code === 'LIMIT')
  for (const each of [...held, fifth]) each.destroy()
})
