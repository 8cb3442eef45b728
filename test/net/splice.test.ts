import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import type { Stream } from '../../src/mux/stream.ts'
import { abort, splice } from '../../src/net/splice.ts'
import { Pair } from '../support/pair.ts'
import { makeFolder, removeFolder } from '../support/processes.ts'

interface Spliced {
  /** The far end of the spliced socket. */
  readonly peer: Socket
  /** The far end of the spliced stream. */
  readonly stream: Stream
  readonly socket: Socket
  readonly done: Promise<void>
  /** Lets the session run until `ready`. */
  until(ready: () => boolean): Promise<void>
}

/** peer <-> socket =splice= stream <-> stream of the test. @param path of a Unix socket in place of TCP */
async function spliced(t: TestContext, path?: string): Promise<Spliced> {
  const server = createServer({ allowHalfOpen: true }).listen(
    path === undefined ? { port: 0, host: '127.0.0.1' } : { path },
  )
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const { port } = server.address() as AddressInfo
  const socket = connect({ ...(path === undefined ? { port, host: '127.0.0.1' } : { path }), allowHalfOpen: true })
  const [peer] = await accepted
  await once(socket, 'connect')
  peer.on('error', () => {})
  const pair = new Pair()
  const { near, far } = await pair.open()
  const done = splice(socket, far, 'the service')
  t.after(() => {
    peer.destroy()
    socket.destroy()
    server.close()
  })
  const until = async (ready: () => boolean) => {
    const end = Date.now() + 5_000
    while (!ready()) {
      if (Date.now() > end) throw new Error('waited 5 s in vain')
      await pair.clock.advance(1)
    }
  }
  return { peer, stream: near, socket, done, until }
}

function collect(side: Socket | Stream): {
  text: string
  bytes: number
  ended: boolean
  closed: boolean
  code: string
} {
  const seen = { text: '', bytes: 0, ended: false, closed: false, code: '' }
  side.on('data', (chunk: Buffer) => {
    seen.bytes += chunk.length
    if (seen.bytes < 1_000) seen.text += String(chunk)
  })
  side.on('end', () => {
    seen.ended = true
  })
  side.on('error', (error: NodeJS.ErrnoException) => {
    seen.code = error.code ?? ''
  })
  side.on('close', () => {
    seen.closed = true
  })
  return seen
}

test('each side may end first and still be answered', async t => {
  for (const first of ['stream', 'peer'] as const) {
    const world = await spliced(t)
    const [one, other] = first === 'stream' ? [world.stream, world.peer] : [world.peer, world.stream]
    const [seenOne, seenOther] = [collect(one), collect(other)]
    one.end('question')
    await world.until(() => seenOther.ended)
    assert.equal(seenOther.text, 'question')
    assert.equal(seenOne.ended, false)
    other.end('answer')
    await world.until(() => seenOne.ended && seenOther.closed)
    assert.equal(seenOne.text, 'answer')
    await world.done
    assert.deepEqual([seenOne.code, seenOther.code], ['', ''])
  }
})

test('a connection without a byte ends in order', async t => {
  const { peer, stream, done, until } = await spliced(t)
  const [atPeer, atStream] = [collect(peer), collect(stream)]
  peer.end()
  stream.end()
  await until(() => atPeer.closed && atStream.closed)
  await done
  assert.deepEqual([atPeer.code, atStream.code], ['', ''])
})

test('megabytes arrive whole before the end', async t => {
  const { peer, stream, done, until } = await spliced(t)
  const [atPeer, atStream] = [collect(peer), collect(stream)]
  stream.end(Buffer.alloc(3_000_000))
  peer.end(Buffer.alloc(2_000_000))
  await until(() => atPeer.closed && atStream.closed)
  assert.deepEqual([atPeer.bytes, atStream.bytes, atPeer.ended, atStream.ended], [3_000_000, 2_000_000, true, true])
  await done
})

test('a reset of the stream is a reset of the socket, never a silent end', async t => {
  const { peer, stream, done, until } = await spliced(t)
  const atPeer = collect(peer)
  stream.reset(new TunnelError('IDLE', ''))
  await until(() => atPeer.closed)
  assert.deepEqual([atPeer.code, atPeer.ended], ['ECONNRESET', false])
  await done
})

test('a Unix socket knows no reset: it is closed when the stream is reset, and nothing else breaks', async t => {
  const folder = makeFolder()
  t.after(() => removeFolder(folder))
  const { peer, stream, done, until } = await spliced(t, join(folder, 'socket'))
  const atPeer = collect(peer)
  peer.end('half')
  stream.reset(new TunnelError('IDLE', ''))
  await until(() => atPeer.closed)
  await done
})

test('a reset of the socket is PEER_RESET on the stream', async t => {
  const { peer, stream, done, until } = await spliced(t)
  const atStream = collect(stream)
  peer.resetAndDestroy()
  await until(() => atStream.closed)
  assert.deepEqual([atStream.code, atStream.ended], ['PEER_RESET', false])
  await done
})

test('a reset after one side has ended is still a reset', async t => {
  const { peer, stream, done, until } = await spliced(t)
  const [atPeer, atStream] = [collect(peer), collect(stream)]
  peer.end('half')
  await until(() => atStream.ended)
  stream.reset(new TunnelError('IDLE', ''))
  await until(() => atPeer.closed)
  assert.equal(atPeer.code, 'ECONNRESET')
  await done
})

test('a reader that stalls stops the writer behind the splice', async t => {
  const { peer, stream, socket, until } = await spliced(t)
  const total = 64 * 1024 * 1024
  let written = 0
  const chunk = Buffer.alloc(1024 * 1024)
  const write = () => {
    while (written < total) {
      written += chunk.length
      if (!peer.write(chunk)) return void peer.once('drain', write)
    }
  }
  write()
  let before = -1
  await until(() => {
    const still = before === socket.bytesRead && before > 0
    before = socket.bytesRead
    return still
  })
  assert.ok(socket.bytesRead < 2 * 1024 * 1024, `${socket.bytesRead} bytes were taken`)
  assert.equal(stream.readableLength, 256 * 1024)
})

test('a stream or socket that is dead already ends the other', async t => {
  const one = await spliced(t)
  one.socket.destroy()
  const late = new Pair()
  const { far } = await late.open()
  await splice(one.socket, far, 'the service')
  assert.equal((far.errored as TunnelError).code, 'PEER_RESET')
  const two = await spliced(t)
  const { far: gone } = await late.open()
  gone.destroy()
  await splice(two.socket, gone, 'the service')
  assert.equal(two.socket.destroyed, true)
})

test('a socket whose end is just being sent is reset for real: its descriptor is not left behind', async t => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const peer = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => peer.destroy())
  peer.on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [Socket]
  socket.on('error', () => {})
  const sockets = () => process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length
  const before = sockets()
  socket.end()
  // The shutdown is handed to libuv now, and done in the next turn.
  await Promise.resolve()
  abort(socket)
  await once(socket, 'close')
  peer.destroy()
  await once(peer, 'close')
  assert.equal(sockets(), before - 2)
})

test('a reset of the socket is one too when it comes while the stream has no room for more', async t => {
  const { peer, stream, until } = await spliced(t)
  const total = 20 * 1024 * 1024
  peer.write(Buffer.alloc(total))
  await until(() => stream.readableLength > 0 && peer.writableLength > 0)
  peer.resetAndDestroy()
  const seen = collect(stream)
  await until(() => seen.closed)
  assert.deepEqual([seen.ended, seen.code], [false, 'PEER_RESET'])
})
