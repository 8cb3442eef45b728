/** The floods: what each is, and what one process does for it, as fast as it can, until it is killed. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { Opcode } from '../../src/carrier/framing.ts'
import { BatchBuilder } from '../../src/wire/batch.ts'
import { encodeCredit, encodeOpen, encodeReset, FrameType } from '../../src/wire/frame.ts'
import { encodeAck } from '../../src/wire/message.ts'
import { attached, frameOf, handshake, messageOf, ROUTE } from './raw-client.ts'

export interface Flood {
  readonly id: string
  readonly about: string
  /** Runs for ever; calls `did` with how often it has done what it does. */
  readonly run: (target: FloodTarget, did: (times: number) => void) => Promise<void>
}

export interface FloodTarget {
  readonly port: number
  /** Good for everything. */
  readonly token: string
}

const ECHO = { service: 'echo', namespace: 'bench', port: 7, protocol: 'tcp' }
const POUR = { service: 'pour', namespace: 'bench', port: 9001, protocol: 'tcp' }
const NOBODY = { service: 'nobody', namespace: 'bench', port: 1, protocol: 'tcp' }
const CHUNK = 256

/** Writes what `next` gives for as long as the socket lives, no faster than the kernel takes it. */
async function pressure(socket: Socket, next: () => Buffer, did: () => void): Promise<void> {
  while (!socket.destroyed) {
    if (socket.write(next())) await turn()
    else await new Promise<void>(resolve => void socket.once('drain', resolve).once('close', resolve))
    did()
  }
}

/** Over and over: whoever is thrown out comes back. */
async function persistently(target: FloodTarget, flood: (socket: Socket) => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await flood(await attached(target.port, target.token))
    } catch {
      await sleep(20)
    }
  }
}

/** Batches of one session in order, `count` at a time. */
function batches(count: number, fill: (batch: BatchBuilder, seq: number) => void): () => Buffer {
  let seq = 0
  return () =>
    Buffer.concat(
      Array.from({ length: count }, () => {
        const batch = new BatchBuilder()
        fill(batch, seq)
        return messageOf(batch.encode(ROUTE, seq++, 0))
      }),
    )
}

/** Streams 1 to `count`, whose service pours. */
function openPouring(batch: BatchBuilder, count: number, limit: number): void {
  for (let stream = 1; stream <= count; stream++) {
    batch.add(FrameType.OPEN, stream, encodeOpen(limit, POUR))
    batch.add(FrameType.DATA, stream, Buffer.from('D'))
  }
}

/** One frame, again and again. */
function overAndOver(frame: Buffer): Flood['run'] {
  const frames = Buffer.concat(Array.from({ length: CHUNK }, () => frame))
  const next = () => frames
  return (target, did) => persistently(target, socket => pressure(socket, next, () => did(CHUNK)))
}

export const floods: readonly Flood[] = [
  {
    id: 'none',
    about: 'nobody: the yardstick',
    run: () => new Promise(() => {}),
  },
  {
    id: 'handshakes',
    about: 'upgrades with a token that is none, 64 at a time',
    run: async ({ port }, did) => {
      const again = (): void => {
        const socket = connect({ port, host: '127.0.0.1' })
        socket.on('error', () => {})
        socket.on('data', () => {})
        socket.once('close', () => {
          did(1)
          again()
        })
        socket.write(handshake(port, 'eyJhbGciOiJFZERTQSJ9.e30.AAAA'))
      }
      for (let count = 0; count < 64; count++) again()
      await new Promise(() => {})
    },
  },
  {
    id: 'slow-headers',
    about: '3,000 connections that send a byte of a header now and then, and come again when they are closed',
    run: async ({ port }, did) => {
      const again = (): void => {
        const socket = connect({ port, host: '127.0.0.1' })
        socket.on('error', () => {})
        socket.write('GET /v1/connect HTTP/1.1\r\nX-Slow: ')
        const timer = setInterval(() => socket.write('a'), 200)
        socket.once('close', () => {
          clearInterval(timer)
          did(1)
          setTimeout(again, 100)
        })
      }
      for (let count = 0; count < 3_000; count++) {
        again()
        if (count % 50 === 0) await sleep(5)
      }
      await new Promise(() => {})
    },
  },
  {
    id: 'pings',
    about: 'WebSocket pings without a pause',
    run: overAndOver(frameOf(Opcode.PING, Buffer.alloc(0))),
  },
  {
    id: 'acks',
    about: 'ACKs that say nothing new',
    run: overAndOver(messageOf(encodeAck(ROUTE, 0))),
  },
  {
    id: 'open-reset',
    about: 'streams that are opened and reset in the same batch (CVE-2023-44487)',
    run: (target, did) =>
      persistently(target, socket => {
        let stream = 0
        const next = batches(4, batch => {
          for (let count = 0; count < 64; count++) {
            batch.add(FrameType.OPEN, ++stream, encodeOpen(65_536, ECHO))
            batch.add(FrameType.RESET, stream, encodeReset(13, ''))
          }
        })
        return pressure(socket, next, () => did(256))
      }),
  },
  {
    id: 'open-refused',
    about: 'streams to a service that refuses (CVE-2025-8671)',
    run: (target, did) =>
      persistently(target, socket => {
        let stream = 0
        const next = batches(1, batch => {
          for (let count = 0; count < 64; count++) batch.add(FrameType.OPEN, ++stream, encodeOpen(65_536, NOBODY))
        })
        return pressure(socket, next, () => did(64))
      }),
  },
  {
    id: 'tiny-batches',
    about: 'batches without a frame, 24 bytes each',
    run: (target, did) =>
      persistently(target, socket =>
        pressure(
          socket,
          batches(CHUNK, () => {}),
          () => did(CHUNK),
        ),
      ),
  },
  {
    id: 'never-reads',
    about: '64 streams of a service that pours, all the credit there is, and a socket that is never read',
    run: (target, did) =>
      persistently(target, async socket => {
        socket.pause()
        const opens = batches(1, batch => openPouring(batch, 64, 2 ** 40))
        socket.write(opens())
        did(64)
        await new Promise<void>(resolve => void socket.once('close', resolve))
      }),
  },
  {
    id: 'credit',
    about: 'limits that rise by one, for streams of a service that pours, and nothing read',
    run: (target, did) =>
      persistently(target, socket => {
        socket.pause()
        let limit = 65_536
        const next = batches(16, (batch, seq) => {
          if (seq === 0) openPouring(batch, 16, limit)
          for (let stream = 1; stream <= 16; stream++) batch.add(FrameType.CREDIT, stream, encodeCredit(++limit))
        })
        return pressure(socket, next, () => did(256))
      }),
  },
]
