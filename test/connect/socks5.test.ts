import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DialogueError } from '../../src/connect/dialogue.ts'
import { Socks5 } from '../../src/connect/socks5.ts'
import { type ErrorCode, TunnelError } from '../../src/errors.ts'

const greeting = Buffer.from([5, 2, 0, 2])
const request = (name: string, port: number, command = 1): Buffer =>
  Buffer.concat([
    Buffer.from([5, command, 0, 3, name.length]),
    Buffer.from(name),
    Buffer.from([port >> 8, port & 0xff]),
  ])

/** Feeds `input` in pieces of `size`, as a socket would hand it over: all that has come so far, each time. */
function talk(input: Buffer, size: number) {
  const said: Buffer[] = []
  const dialogue = new Socks5()
  for (let end = Math.min(size, input.length); ; end = Math.min(end + size, input.length)) {
    const asked = dialogue.read(input.subarray(0, end), bytes => said.push(bytes))
    if (asked !== undefined || end === input.length) return { asked, said: Buffer.concat(said) }
  }
}

test('a name and a port are read, however the bytes are cut, and what follows belongs to the connection', () => {
  const input = Buffer.concat([greeting, request('api.prod', 8_080), Buffer.from('GET /')])
  for (let size = 1; size <= input.length; size++) {
    const { asked, said } = talk(input, size)
    assert.deepEqual([asked?.host, asked?.port], ['api.prod', 8_080])
    assert.ok('GET /'.startsWith(String(asked?.rest)))
    assert.deepEqual([...said], [5, 0])
  }
  assert.equal(String(talk(input, input.length).asked?.rest), 'GET /')
})

test('half a request asks for nothing yet', () => {
  const whole = Buffer.concat([greeting, request('api.prod', 80)])
  for (let end = 1; end < whole.length; end++) assert.equal(talk(whole.subarray(0, end), end).asked, undefined)
})

const answerTo = (input: Buffer): number[] => {
  try {
    talk(input, input.length)
  } catch (thrown) {
    if (thrown instanceof DialogueError) return [...thrown.answer]
    throw thrown
  }
  return assert.fail('it was not refused')
}

test('a client that insists on a password is told that none is taken', () => {
  assert.deepEqual(answerTo(Buffer.from([5, 1, 2])), [5, 0xff])
})

test('addresses, and commands other than CONNECT, have their own answer', () => {
  const address = (type: number, bytes: number) => Buffer.from([5, 1, 0, type, ...Buffer.alloc(bytes + 2)])
  for (const [asked, code] of [
    [address(1, 4), 8],
    [address(4, 16), 8],
    [request('api.prod', 53, 3), 7],
    [request('api.prod', 80, 2), 7],
    [Buffer.from([4, 1, 0, 3, 1, 65, 0, 80]), 1],
  ] as const) {
    assert.deepEqual(answerTo(Buffer.concat([greeting, asked])), [5, code, 0, 1, 0, 0, 0, 0, 0, 0])
  }
})

test('each failure becomes the reply that says most', () => {
  const codes: [ErrorCode, number][] = [
    ['DENIED', 2],
    ['AGENT_UNAVAILABLE', 3],
    ['DNS', 4],
    ['REFUSED', 5],
    ['DIAL_TIMEOUT', 6],
    ['INTERNAL', 1],
  ]
  for (const [code, reply] of codes) assert.equal(new Socks5().failed(new TunnelError(code, 'x'))[1], reply)
  assert.deepEqual([...new Socks5().opened()], [5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
})
