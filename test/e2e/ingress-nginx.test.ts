/** A real server behind the ingress, and real clients in front of it: answers are those that it gives when asked directly. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Answer, ask, hostFor, startIngress } from '../support/ingress.ts'
import { realTest, run, startNginx } from '../support/servers.ts'
import { freePort } from '../support/sockets.ts'

const nginx = { programs: ['nginx'], packages: 'nginx-light' }
const curl = { programs: ['nginx', 'curl'], packages: 'nginx-light curl' }
const target = 'web/prod:80'
const bytes = randomBytes(300_000)

async function start(t: TestContext): Promise<{ port: number; direct: number }> {
  const direct = await freePort()
  const www = await startNginx(t, direct)
  writeFileSync(join(www, 'file.bin'), bytes)
  writeFileSync(join(www, 'empty'), '')
  return { direct, port: (await startIngress(t, { services: { [target]: direct } })).port }
}

/** What both ways must have in common: all but the date, and what is between two hops. */
const essence = ({ status, rawHeaders, body }: Answer): object => {
  const fields: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (!/^(?:date|connection|keep-alive|via)$/i.test(rawHeaders[i] ?? ''))
      fields.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  }
  // Of several ranges each answer has a boundary of its own.
  const text = (part: string) => part.replace(/\b0{10,}\d+\b/g, 'boundary')
  return { status, fields: fields.map(text), body: text(body.toString('latin1')) }
}

realTest('GET, HEAD, ranges and conditions are answered as nginx answers them', nginx, async t => {
  const { port, direct } = await start(t)
  const { headers } = await ask(direct, { target, path: '/file.bin' })
  const { etag = '', 'last-modified': modified = '' } = headers
  const questions: { method?: string; path?: string; headers?: Record<string, string> }[] = [
    {},
    { method: 'HEAD' },
    { path: '/empty' },
    { path: '/nothing' },
    { path: '/nothing', method: 'HEAD' },
    { headers: { 'if-none-match': etag } },
    { headers: { 'if-modified-since': modified } },
    { headers: { 'if-match': '"other"' } },
    { headers: { range: 'bytes=0-99' } },
    { headers: { range: 'bytes=-1' } },
    { headers: { range: 'bytes=299999-' } },
    { headers: { range: 'bytes=10-19,30-39' } },
    { headers: { range: 'bytes=300000-' } },
    { headers: { range: 'bytes=0-99', 'if-range': etag } },
    { headers: { range: 'bytes=0-99', 'if-range': '"other"' } },
    { method: 'POST' },
    { method: 'DELETE' },
    { method: 'OPTIONS' },
  ]
  for (const question of questions) {
    const whole = { target, path: '/file.bin', ...question }
    const [through, straight] = [await ask(port, whole), await ask(direct, whole)]
    assert.deepEqual(essence(through), essence(straight), JSON.stringify(question))
  }
  const statuses = new Set<number>()
  for (const question of questions) statuses.add((await ask(port, { target, path: '/file.bin', ...question })).status)
  assert.deepEqual([...statuses].sort(), [200, 206, 304, 404, 405, 412, 416])
})

realTest('curl loads, and asks many things over one connection', curl, async t => {
  const { port } = await start(t)
  const host = ['-sS', '--fail', '-H', `Host: ${hostFor(target)}`]
  const url = `http://127.0.0.1:${port}/file.bin`
  const sizes = (await run(t, 'curl', [...host, url, '-o', '/dev/null', '-w', '%{size_download} %{http_version}']))
    .stdout
  assert.equal(sizes, '300000 1.1')
  const many = await run(t, 'curl', [
    ...host,
    ...Array.from({ length: 50 }, () => url).flatMap(each => [each, '-o', '/dev/null']),
    '-w',
    '%{num_connects}\n',
  ])
  assert.equal(many.stdout.split('\n').filter(each => each === '1').length, 1)
  assert.equal(many.stdout.split('\n').filter(each => each === '0').length, 49)
  const old = await run(t, 'curl', [...host, '--http1.0', url, '-o', '/dev/null', '-w', '%{size_download}'])
  assert.equal(old.stdout, '300000')
})
