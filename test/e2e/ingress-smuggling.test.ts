/**
 * Requests that could mean one thing to the gateway and another to the service, sent byte by byte. The service writes down what
 * it gets: nothing, or one request that can be read in one way only.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ask, hostFor, serveRaw, startIngress, statusOf, talk } from '../support/ingress.ts'

const scope = { after }
const raw = await serveRaw(scope)
const honest = await serveRaw(scope)
const { port, gateway } = await startIngress(scope, {
  services: { 'web/prod:80': raw.port, 'honest/prod:80': honest.port },
})
const name = hostFor('web/prod:80')
const host = `Host: ${name}\r\n`
const close = 'Connection: close\r\n'
const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\n${host}${close}${fields}\r\n`
const post = (fields: string, body: string): string => `POST / HTTP/1.1\r\n${host}${close}${fields}\r\n${body}`
const chunked = 'Transfer-Encoding: chunked\r\n'

async function honestIsServed(): Promise<void> {
  assert.equal((await ask(port, { target: 'honest/prod:80' })).body.toString(), 'ok')
}

const refused: Record<string, string> = {
  'Content-Length beside Transfer-Encoding': post(`Content-Length: 4\r\n${chunked}`, '0\r\n\r\n'),
  'Transfer-Encoding beside Content-Length': post(`${chunked}Content-Length: 4\r\n`, '0\r\n\r\n'),
  'two Content-Length that differ': post('Content-Length: 4\r\nContent-Length: 5\r\n', 'abcde'),
  'two Content-Length that agree': post('Content-Length: 4\r\nContent-Length: 4\r\n', 'abcd'),
  'a list in Content-Length': post('Content-Length: 4, 4\r\n', 'abcd'),
  'a sign in Content-Length': post('Content-Length: +4\r\n', 'abcd'),
  'a Content-Length beyond all numbers': post('Content-Length: 99999999999999999999\r\n', 'abcd'),
  'gzip before chunked': post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
  'a coding that nobody knows': post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
  'chunked twice': post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n'),
  'two Transfer-Encoding': post(chunked + chunked, '0\r\n\r\n'),
  identity: post('Transfer-Encoding: identity\r\n', ''),
  'a vertical tab before chunked': post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'),
  'a space before the colon': post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n'),
  'a folded field': get('/', 'X-A: a\r\n b\r\n'),
  'a space before the first field': `GET / HTTP/1.1\r\n ${host}${host}${close}\r\n`,
  'a field without a name': get('/', ': x\r\n'),
  'NUL in a field': get('/', 'X-A: a\0b\r\n'),
  'a line that ends with LF alone': get('/', 'X-A: a\nX-B: b\r\n'),
  'lines that all end with LF alone': get('/').replaceAll('\r\n', '\n'),
  'CR alone in a field': get('/', 'X-A: a\rX-B: b\r\n'),
  'chunked in HTTP/1.0': post(chunked, '0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0'),
  'an unknown version': get('/').replace('HTTP/1.1', 'HTTP/1.2'),
  'two hosts': get('/', 'Host: other.example\r\n'),
  'the same host twice': get('/', host),
  'no host': 'GET / HTTP/1.1\r\n\r\n',
  'another host in the request line': get('http://other.example/'),
  'a user in the request line': get(`http://admin@${name}/`),
  'another scheme in the request line': get(`ftp://${name}/`),
  'a fragment': get('/a#b'),
  'a control character in the path': get('/a\x01b'),
  'a tab in the path': get('/a\tb'),
  'DEL in the path': get('/a\x7fb'),
  'a path that goes up': get('/a/../b'),
  'a path that ends by going up': get('/a/..'),
  'a path that stays': get('/a/./b'),
  'an encoded path that goes up': get('/a/%2e%2E/b'),
  'half of it encoded': get('/a/.%2e/b'),
  'an encoded slash behind it': get('/a/..%2fb'),
  'encoded backslashes around it': get('/a%5c..%5Cb'),
  'backslashes around it': get('/a\\..\\b'),
  'parameters behind it': get('/a/..;x=y/b'),
  'one that goes up in absolute form': get(`http://${name}/a/../b`),
  'OPTIONS of the server as a whole': `OPTIONS * HTTP/1.1\r\n${host}${close}\r\n`,
  'an Expect of something else': post('Expect: 200-ok\r\nContent-Length: 1\r\n', 'a'),
  'an Expect twice': post('Expect: 100-continue, 100-continue\r\nContent-Length: 1\r\n', 'a'),
  'two sizes of header at once': get('/', 'Content-Length: 0\r\nContent-Length:\r\n'),
}
for (const [what, bytes] of Object.entries(refused)) {
  test(`F106, F107: refused, and not seen by the service: ${what}`, async () => {
    const before = raw.received.length
    const answer = await talk(port, bytes)
    assert.equal(statusOf(answer), 400, answer)
    assert.match(answer, /^connection: close\r$/im)
    assert.equal(answer.split('HTTP/1.1 ').length, 2, answer)
    await honestIsServed()
    assert.deepEqual(raw.received.slice(before), [])
  })
}

test('F107: a Host that is none of the ingress is answered by the gateway, and CONNECT by nobody', async () => {
  const before = raw.received.length
  assert.equal(statusOf(await talk(port, `GET / HTTP/1.1\r\nHost: admin@${name}\r\n${close}\r\n`)), 404)
  assert.equal(statusOf(await talk(port, `GET / HTTP/1.0\r\n\r\n`)), 404)
  assert.equal(await talk(port, `CONNECT ${name}:80 HTTP/1.1\r\n${host}\r\n`), '')
  await honestIsServed()
  assert.equal(raw.received.length, before)
})

/** What the service gets, without what the gateway adds of the way. */
async function passed(bytes: string): Promise<string> {
  const before = raw.received.length
  const answer = await talk(port, bytes)
  assert.equal(statusOf(answer), 200, answer)
  const seen = raw.received.slice(before)
  assert.equal(seen.length, 1)
  await honestIsServed()
  const own = /X-Request-Id: [\w-]+\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: \S+\r\n/
  return (seen[0] ?? '').replace(own, '').replace(/^(X-Forwarded-For|Forwarded|Via): .*\r\n/gm, '')
}

test('what is passed on is written anew: one line for each field, one coding, no chunk extension', async () => {
  assert.equal(
    await passed(post(`X-A:  a \r\n${chunked}`, '1;ext=1\r\nx\r\n0\r\n\r\n')),
    `POST / HTTP/1.1\r\n${host}X-A: a\r\n${chunked}${close}\r\n1\r\nx\r\n0\r\n\r\n`,
  )
  assert.match(await passed(get(`http://${name}/x?y=%2e%2e/../z`)), /^GET \/x\?y=%2e%2e\/\.\.\/z HTTP\/1\.1\r\n/)
  assert.match(await passed(get(`http://${name}?y`)), /^GET \/\?y HTTP\/1\.1\r\n/)
  assert.match(await passed(get('/...//a..b/.c')), /^GET \/\.\.\.\/\/a\.\.b\/\.c HTTP\/1\.1\r\n/)
  const shouted = get('/').replace(host, `Host: ${name.toUpperCase()}.:8080\r\n`)
  assert.match(await passed(shouted), new RegExp(`^Host: ${name.toUpperCase()}\\.:8080\r$`, 'm'))
})

test('a request behind one that was refused is never looked at', async () => {
  const before = raw.received.length
  const answer = await talk(port, post('Content-Length: 4\r\n', 'abcd').replace('/ ', '/../ ') + get('/smuggled'))
  assert.equal(answer.split('HTTP/1.1 ').length, 2, answer)
  assert.equal(raw.received.length, before)
})

test('a chunk that is none ends an upload, at the service too, and is not passed on', async () => {
  for (const bad of ['0x1\r\nx', '-1\r\nx', '1 \r\nx', '1\nx', '10000000000000001\r\nx', '1\r\nxy']) {
    const before = raw.received.length
    const answer = await talk(port, post(chunked, `${bad}\r\n0\r\n\r\n`))
    assert.equal(statusOf(answer), 400, bad)
    assert.equal(answer.split('HTTP/1.1 ').length, 2, answer)
    for (const seen of raw.received.slice(before)) assert.ok(!seen.endsWith('0\r\n\r\n'), seen)
    await honestIsServed()
  }
})

test('F108: what Connection nominates is stripped, but not what the gateway says, nor where the request is for', async () => {
  const fields = [
    'Connection: close, x-forwarded-for, authorization, X-SECRET , host, content-length, via',
    'Authorization: Basic x',
    'X-Secret: s',
    'Proxy-Connection: keep-alive',
    'Keep-Alive: timeout=5',
    'TE: trailers',
    'Proxy-Authorization: Basic eDp4',
    'X-Kept: yes',
    'Content-Length: 2',
  ]
  const before = raw.received.length
  assert.equal(statusOf(await talk(port, `POST / HTTP/1.1\r\n${host}${fields.join('\r\n')}\r\n\r\nab`)), 200)
  const seen = raw.received[before] ?? ''
  assert.doesNotMatch(seen, /^(?:authorization|x-secret|proxy-.*|keep-alive|te):/im)
  assert.match(seen, /^X-Kept: yes\r\nContent-Length: 2\r$/m)
  assert.match(seen, new RegExp(`\r\n${host}`))
  assert.match(
    seen,
    /^X-Forwarded-For: 127\.0\.0\.1\r\nForwarded: for=127\.0\.0\.1;host="\S+";proto=http\r\nVia: 1\.1 tunnelctl\r$/m,
  )
  assert.match(seen, /\r\n\r\nab$/)
})

test('what a client says of the way is dropped, in any spelling that a service may read', async () => {
  const spoofed = ['X-Forwarded-For', 'Forwarded', 'Via', 'X-Request-Id', 'X-Forwarded-Proto', 'X-Forwarded-Host']
  const more = [...spoofed.map(each => each.replaceAll('-', '_')), 'X-REAL-IP']
  const before = raw.received.length
  await talk(port, get('/', [...spoofed, ...more].map(each => `${each}: 1.1 spoofed\r\n`).join('')))
  assert.doesNotMatch(raw.received[before] ?? 'spoofed', /spoofed/)
})

test('the gateway has not written a word of an error of its own', () => {
  assert.doesNotMatch(gateway.process.stderr, /Error:|at .*\.js:/)
})
