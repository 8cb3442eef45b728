import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askGateway } from '../../src/carrier/ask.ts'
import { serve } from '../support/sockets.ts'

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n'

test('B38: an answer that drips is given up when its time is over, in the head and in the body', async t => {
  for (const start of ['HTTP/1.1 200 OK\r\nX-Slow: ', HEAD]) {
    const port = await serve(t, socket => {
      socket.write(start)
      const timer = setInterval(() => socket.write(' '), 10)
      socket.once('close', () => clearInterval(timer))
    })
    const url = new URL(`ws://127.0.0.1:${port}`)
    const { signal } = new AbortController()
    await assert.rejects(askGateway({ url, path: '/v1/services', signal, wholeMs: 200 }), {
      code: 'GATEWAY_UNREACHABLE',
      message: /its answer did not end within 0.2 s/,
    })
  }
})

test('whoever asks may give up at any time', async t => {
  const port = await serve(t, socket => void socket.write(HEAD))
  const url = new URL(`ws://127.0.0.1:${port}`)
  const asking = new AbortController()
  const asked = askGateway({ url, path: '/v1/services', signal: asking.signal })
  asking.abort()
  await assert.rejects(asked, { code: 'INTERRUPTED' })
})
