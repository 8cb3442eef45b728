// Batches: their numbers, their acknowledgement, and what is kept for a resume.
export const title = 'Batches'

const inbox = 'src/mux/inbox.ts'
const outbox = 'src/mux/outbox.ts'
const session = 'src/mux/session.ts'
const inflight = 'src/mux/inflight.ts'
const frame = 'src/wire/frame.ts'

export const mutants = [
  {
    name: 'skips the duplicate check',
    file: inbox,
    from: 'if (seq < this.#expected) return false',
    to: '',
  },
  {
    name: 'lets a gap in the numbers pass',
    file: inbox,
    from: 'if (seq > this.#expected)',
    to: 'if (seq > this.#expected + 1)',
  },
  {
    name: 'acknowledges one batch too many',
    file: inbox,
    from: 'this.#sendAck(this.takeAck())',
    to: 'this.#sendAck(this.takeAck() + 1)',
  },
  {
    name: 'acknowledges a batch before it is taken, and drops it when the carrier is lost in between',
    file: session,
    from: 'walkFrames(message, this.#receive, rest)',
    to: "this.clock.defer(() => this.#state === 'live' && walkFrames(message, this.#receive, rest))",
  },
  {
    name: 'never acknowledges when it has nothing to say',
    file: inbox,
    from: 'this.#cancelTimer = this.#clock.after(this.#dueAt - this.#clock.now(), this.#timer)',
    to: '',
  },
  {
    name: 'lets whoever waits for the last acknowledgement wait as long as somebody who types',
    file: session,
    from: 'if (this.#streams.size === 0) this.#inbox.soon()',
    to: '',
  },
  {
    name: 'takes the lateness of an acknowledgement of little for that of the path',
    file: inflight,
    from: 'if (this.#round !== undefined || bytes <= LITTLE_BYTES) return',
    to: 'if (this.#round !== undefined) return',
  },
  {
    name: 'forgets to replay',
    file: outbox,
    from: 'this.#cursor = this.#replay.acknowledged',
    to: 'this.#cursor = this.#replay.nextSeq',
  },
  {
    name: 'replays from one batch too late',
    file: outbox,
    from: 'this.#cursor = this.#replay.acknowledged',
    to: 'this.#cursor = Math.min(this.#replay.acknowledged + 1, this.#replay.nextSeq)',
  },
  {
    name: 'does not free at a resume what the peer has',
    file: outbox,
    from: 'this.#replay.acknowledge(peerExpected, 0)',
    to: '',
  },
  {
    name: 'sends a batch again with the number of the old route',
    file: outbox,
    from: 'setRoute(copy, route.id)',
    to: '',
  },
  {
    name: 'changes a kept batch in place, while the old carrier may still hold it',
    file: outbox,
    from: 'const copy = Buffer.from(kept.first)',
    to: 'const copy = kept.first',
  },
  {
    name: 'keeps more than maxInflight',
    file: outbox,
    from: 'if (this.#replay.bytes + bytes > this.#maxInflightBytes) return',
    to: '',
  },
  {
    name: "does not heed the peer's maxInflight",
    file: session,
    from: 'Math.min(this.limits.maxInflightBytes, peerMaxInflightBytes)',
    to: 'this.limits.maxInflightBytes',
  },
  {
    name: 'lets data use up the room of control frames',
    file: outbox,
    from: 'this.#maxInflightBytes - CONTROL_RESERVE_BYTES',
    to: 'this.#maxInflightBytes',
  },
  {
    name: 'holds control frames back behind data',
    file: outbox,
    from: 'if (this.#replay.bytes + bytes >',
    to: 'if (route.bufferedBytes >= HIGH_WATER_BYTES) return route.wantDrain()\n      if (this.#replay.bytes + bytes >',
  },
  {
    name: 'does not wait for the carrier with data',
    file: outbox,
    from: 'if (this.#route.bufferedBytes + gathered >= HIGH_WATER_BYTES) return 0',
    to: '',
  },
  {
    name: 'serves turns of part of a byte',
    file: outbox,
    from: 'Math.floor(this.#limitBytes / TURNS_UNDER_WAY)',
    to: 'this.#limitBytes / TURNS_UNDER_WAY',
  },
  {
    name: 'keeps as much under way as it may, whatever the path carries',
    file: inflight,
    from: 'const worth = best * worthMs',
    to: 'const worth = best * 20 * worthMs',
  },
  {
    name: 'takes the rate of a sender without haste for that of the path',
    file: inflight,
    from: 'if (!this.#held && rate <= this.#best) return',
    to: '',
  },
  {
    name: 'forgets where the buffers of a batch were cut',
    file: frame,
    from: 'const end = Math.min(part.length, at + left)',
    to: 'const end = Math.min(part.length, at + left + 1)',
  },
  {
    name: 'stamps the verdict into a copy of an OPEN that is cut',
    file: frame,
    from: 'if (bytes > 0) part[at] = payload[0] ?? 0',
    to: '',
  },
  {
    name: 'sends again the head of a batch alone',
    file: outbox,
    from: 'route.send(copy, kept.rest)',
    to: 'route.send(copy)',
  },
  {
    name: 'drops the FIN of a stream that ends without a carrier',
    file: session,
    from: "if (this.#state !== 'closed') this.#outbox.frame(",
    to: "if (this.#state === 'live' || (this.#state === 'detached' && type !== FrameType.FIN)) this.#outbox.frame(",
  },
  {
    name: 'drops the RESET of a stream that ends without a carrier',
    file: session,
    from: "if (this.#state !== 'closed') this.#outbox.frame(",
    to: "if (this.#state === 'live' || (this.#state === 'detached' && type !== FrameType.RESET)) this.#outbox.frame(",
  },
]
