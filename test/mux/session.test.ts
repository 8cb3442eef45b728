import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelError } from '../../src/errors.ts'
import { defaultLimits } from '../../src/mux/limits.ts'
import type { Route } from '../../src/mux/route.ts'
import { Session } from '../../src/mux/session.ts'
import type { SessionOptions } from '../../src/mux/session-options.ts'
import { BatchBuilder } from '../../src/wire/batch.ts'
import { encodeCredit, encodeOpen, encodeOpened, encodeReset, FrameType } from '../../src/wire/frame.ts'
import { decodeDetach, encodeAck, encodePing, Kind, kindOf, writeHeader } from '../../src/wire/message.ts'
import { VirtualClock } from '../support/clock.ts'
import { Pair } from '../support/pair.ts'

/** A session whose peer is the test: frames go in as the bytes they are. */
class Subject {
  readonly clock = new VirtualClock()
  readonly sent: Buffer[] = []
  readonly session: Session
  closedWith: TunnelError | undefined
  #seq = 0

  constructor(options: Partial<SessionOptions> = {}) {
    this.session = new Session({
      side: 'acceptor',
      clock: this.clock,
      onOpen: stream => stream.accept(80),
      onClosed: error => {
        this.closedWith = error
      },
      ...options,
    })
    const route: Route = {
      id: 1,
      bufferedBytes: 0,
      sentBytes: 0,
      send: (message, rest = []) => this.sent.push(Buffer.concat([message, ...rest])),
      wantDrain: () => {},
      close: () => {},
    }
    this.session.attach(route, 0, 1024 * 1024)
  }

  frames(...frames: [type: number, stream: number, payload?: Buffer][]): void {
    const builder = new BatchBuilder()
    for (const [type, stream, payload] of frames) builder.add(type, stream, payload ?? null)
    while (builder.nextBytes() > 0) this.session.message(builder.encode(1, this.#seq++, 0))
  }

  message(kind: number, body: Buffer = Buffer.alloc(0)): void {
    const message = Buffer.concat([Buffer.alloc(6), body])
    writeHeader(message, 1, kind, 0)
    this.session.message(message)
  }

  /** What the peer is told when the session ends. */
  get detached(): string | undefined {
    const last = this.sent.findLast(message => kindOf(message) === Kind.DETACH)
    if (last === undefined) return undefined
    const { final, code, reason } = decodeDetach(last)
    return `${final ? 'final' : 'not final'} ${TunnelError.fromWire(code, reason).code}`
  }
}

const open = encodeOpen(256 * 1024, {})
const data = (bytes: number): Buffer => Buffer.alloc(bytes)

const violations: Record<string, (subject: Subject) => void> = {
  'C44: an unknown frame type': subject => subject.frames([0x7f, 1, data(1)]),
  'C64: a frame of stream 0': subject => subject.frames([FrameType.DATA, 0, data(1)]),
  'C60: a frame of a stream that was never opened': subject => subject.frames([FrameType.DATA, 9, data(1)]),
  'C55: empty DATA': subject => subject.frames([FrameType.OPEN, 1, open], [FrameType.DATA, 1]),
  'C53: DATA after FIN': subject =>
    subject.frames([FrameType.OPEN, 1, open], [FrameType.FIN, 1], [FrameType.DATA, 1, data(1)]),
  'C53, C54: a second FIN': subject =>
    subject.frames([FrameType.OPEN, 1, open], [FrameType.FIN, 1], [FrameType.FIN, 1]),
  'C63: a stream id that was used already': subject =>
    subject.frames([FrameType.OPEN, 5, open], [FrameType.OPEN, 5, open]),
  'C63: a stream id that goes back': subject => subject.frames([FrameType.OPEN, 5, open], [FrameType.OPEN, 4, open]),
  'C68: an OPEN that is no JSON': subject => subject.frames([FrameType.OPEN, 1, Buffer.alloc(20, 'x')]),
  'a CREDIT of the wrong length': subject => subject.frames([FrameType.OPEN, 1, open], [FrameType.CREDIT, 1, data(5)]),
  'a RESET without a code': subject => subject.frames([FrameType.OPEN, 1, open], [FrameType.RESET, 1, data(1)]),
  'C45: a truncated BATCH': subject => subject.message(Kind.BATCH, data(11)),
  'C45: a frame that is longer than its batch': subject => {
    const body = Buffer.concat([Buffer.alloc(12), Buffer.from([FrameType.DATA, 0, 0, 0, 1, 0, 0, 9, 1])])
    subject.message(Kind.BATCH, body)
  },
  'C48: a gap in the numbers': subject => {
    const body = Buffer.alloc(12)
    body.writeUIntBE(1, 0, 6)
    subject.message(Kind.BATCH, body)
  },
  'C56: an acknowledgement of what was never sent': subject => subject.session.message(encodeAck(1, 1)),
  'C61: an ACK of the wrong length': subject => subject.message(Kind.ACK, data(5)),
  'C72: a PING of the wrong length': subject => subject.message(Kind.PING, data(7)),
  'a second ATTACHED': subject => subject.message(Kind.ATTACHED, data(40)),
  'C44: an unknown message kind': subject => subject.message(0x7f),
}

for (const [what, send] of Object.entries(violations)) {
  test(`${what} ends the session as PROTOCOL, and the peer is told that it is final`, () => {
    const subject = new Subject()
    send(subject)
    assert.equal(subject.closedWith?.code, 'PROTOCOL')
    assert.equal(subject.detached, 'final PROTOCOL')
    assert.deepEqual([subject.session.state, subject.session.streams.size], ['closed', 0])
    subject.clock.advanceSync(100_000)
    assert.equal(subject.clock.timers, 0)
  })
}

test('C65: OPEN towards the side that opens ends the session', () => {
  const subject = new Subject({ side: 'initiator' })
  subject.frames([FrameType.OPEN, 1, open])
  assert.equal(subject.closedWith?.code, 'PROTOCOL')
})

test('C51, C52: one byte beyond the credit ends the session as FLOW_CONTROL', () => {
  const within = new Subject({ onOpen: () => {} })
  within.frames([FrameType.OPEN, 1, open], [FrameType.DATA, 1, data(64 * 1024)])
  assert.equal(within.session.state, 'live')
  within.frames([FrameType.DATA, 1, data(1)])
  assert.equal(within.closedWith?.code, 'FLOW_CONTROL')
  assert.equal(within.detached, 'final FLOW_CONTROL')
})

test('what comes after a violation in the same batch is not looked at', () => {
  let opened = 0
  const subject = new Subject({ onOpen: () => opened++ })
  subject.frames([FrameType.OPEN, 1, open], [FrameType.DATA, 9, data(1)], [FrameType.OPEN, 2, open])
  assert.equal(opened, 1)
})

test('C60, C70: frames of a stream that was reset here are ignored: they crossed the reset', () => {
  const subject = new Subject({ onOpen: stream => stream.reset(new TunnelError('REFUSED', 'no')) })
  subject.frames([FrameType.OPEN, 1, open])
  subject.frames(
    [FrameType.DATA, 1, data(10)],
    [FrameType.CREDIT, 1, encodeCredit(1)],
    [FrameType.FIN, 1],
    [FrameType.RESET, 1, encodeReset(65_535, 'late')],
    [FrameType.OPENED, 1, encodeOpened(1, 1)],
  )
  assert.equal(subject.session.state, 'live')
})

test('C64: ids may skip: only their order counts', () => {
  const subject = new Subject()
  subject.frames([FrameType.OPEN, 7, open], [FrameType.OPEN, 1_000_007, open], [FrameType.OPEN, 2 ** 32 - 1, open])
  assert.deepEqual([subject.session.state, subject.session.streams.size], ['live', 3])
})

test('C66: a stream too many is reset with LIMIT, and the others live', () => {
  const subject = new Subject({ limits: { ...defaultLimits, maxStreams: 2 } })
  subject.frames([FrameType.OPEN, 1, open], [FrameType.OPEN, 2, open], [FrameType.OPEN, 3, open])
  assert.deepEqual([subject.session.state, subject.session.streams.size], ['live', 2])
  const own = new Session({ side: 'initiator', clock: new VirtualClock(), limits: { ...defaultLimits, maxStreams: 1 } })
  own.open({})
  assert.throws(() => own.open({}), { code: 'LIMIT' })
})

test('a peer that opens and never acknowledges the answers is ended before they fill the memory', () => {
  const subject = new Subject({ onOpen: stream => stream.reset(new TunnelError('DENIED', 'x'.repeat(256))) })
  for (let id = 1; id < 100_000 && subject.session.state === 'live'; id++) {
    subject.frames([FrameType.OPEN, id, open])
    if (id % 100 === 0) subject.clock.turn()
  }
  assert.equal(subject.closedWith?.code, 'LIMIT')
})

test('C71: an unknown reset code means INTERNAL', () => {
  const subject = new Subject()
  const codes: string[] = []
  subject.frames([FrameType.OPEN, 1, open])
  subject.session.streams.get(1)?.on('error', error => codes.push((error as TunnelError).code))
  subject.frames([FrameType.RESET, 1, encodeReset(65_535, '\x1b]0;title\x07')])
  return subject.clock.runUntilIdle().then(() => assert.deepEqual(codes, ['INTERNAL']))
})

test('C72: PING is answered with its own nonce; a PONG that nobody waits for is ignored', () => {
  const subject = new Subject()
  const before = subject.sent.length
  subject.session.message(encodePing(Kind.PING, 1, 77))
  assert.deepEqual(subject.sent[before], encodePing(Kind.PONG, 1, 77))
  subject.session.message(encodePing(Kind.PONG, 1, 12_345))
  assert.equal(subject.session.state, 'live')
})

test('D96: streams survive the loss of a carrier: what was under way is sent again, once', async () => {
  const pair = new Pair({ latencyMs: 20 })
  const { near, far } = await pair.open()
  let received = ''
  far.on('data', chunk => {
    received += String(chunk)
  })
  near.write('one ')
  await pair.clock.advance(25)
  near.write('two ')
  await pair.clock.advance(10)
  pair.carriers.cut()
  await pair.clock.advance(1)
  assert.deepEqual([pair.initiator.state, pair.acceptor.state], ['detached', 'detached'])
  near.write('three ')
  near.end('four')
  await pair.clock.advance(1_000)
  assert.equal(received, 'one ')
  pair.join()
  await pair.clock.advance(100)
  assert.equal(received, 'one two three four')
  assert.equal(far.readableEnded, true)
})

test('a stream that is opened while detached waits for a carrier', async () => {
  const pair = new Pair()
  pair.carriers.cut()
  const near = pair.initiator.open({ service: 'late' })
  near.write('hello')
  await pair.clock.advance(10)
  assert.equal(pair.opened.length, 0)
  pair.join()
  await pair.clock.advance(10)
  assert.equal(pair.opened[0]?.readableLength, 5)
})

test('while detached no timer runs', async () => {
  const pair = new Pair()
  await pair.open()
  pair.carriers.cut()
  await pair.clock.advance(1)
  assert.equal(pair.clock.timers, 0)
})

test('who waits for the last acknowledgement, after the last stream, has it in 5 ms', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  near.resume()
  far.end()
  await pair.clock.advance(300)
  const sentAt = pair.clock.now()
  near.end()
  await pair.clock.runUntilIdle()
  const delivered = pair.initiator.delivered().then(() => pair.clock.now() - sentAt)
  await pair.clock.advance(300)
  assert.equal(await delivered, 5)
})

test('closing resets every stream, tells the peer once, and later calls do nothing', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  const codes: string[] = []
  for (const stream of [near, far]) stream.on('error', error => codes.push((error as TunnelError).code))
  pair.initiator.close(new TunnelError('SESSION_CLOSED', 'bye'), true)
  pair.initiator.close(new TunnelError('INTERNAL', 'again'), true)
  await pair.clock.advance(10)
  assert.deepEqual(codes, ['SESSION_CLOSED', 'SESSION_CLOSED'])
  assert.deepEqual([pair.initiator.state, pair.acceptor.state], ['closed', 'closed'])
  assert.throws(() => pair.initiator.open({}), { code: 'SESSION_CLOSED' })
  assert.equal(pair.sent.filter(({ message }) => kindOf(message) === Kind.DETACH).length, 1)
  assert.equal(pair.clock.timers, 0)
})

test('what was written and ended in the turn of the close still arrives', async () => {
  const pair = new Pair()
  const { near, far } = await pair.open()
  let received = ''
  far.on('data', chunk => {
    received += String(chunk)
  })
  far.end()
  await pair.clock.advance(1)
  near.resume()
  near.end('the last line')
  await new Promise(resolve => near.once('close', resolve))
  pair.initiator.close(new TunnelError('SESSION_CLOSED', 'done'), true)
  await pair.clock.advance(1)
  assert.equal(received, 'the last line')
  assert.equal(far.readableEnded, true)
  assert.equal(far.errored, null)
})
