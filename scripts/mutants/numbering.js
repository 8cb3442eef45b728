// Batches: their numbers, their acknowledgement, and what is kept for a resume.
export const title = 'Batches'

const inbox = 'src/mux/inbox.ts'
const outbox = 'src/mux/outbox.ts'
const session = 'src/mux/session.ts'

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
    from: 'walkFrames(message, (type, id, start, end) => this.#receive(message, type, id, start, end))',
    to: "this.clock.defer(() => this.#state === 'live' && walkFrames(message, (type, id, start, end) => this.#receive(message, type, id, start, end)))",
  },
  {
    name: 'never acknowledges when it has nothing to say',
    file: inbox,
    from: 'else this.#cancelTimer ??= this.#clock.after(ACK_DELAY_MS, this.#timer)',
    to: '',
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
    from: 'this.#replay.acknowledge(peerExpected)',
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
    from: 'const copy = Buffer.from(kept)',
    to: 'const copy = kept',
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
    from: 'if (this.#route.bufferedBytes + gathered >= HIGH_WATER_BYTES) return false',
    to: '',
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
