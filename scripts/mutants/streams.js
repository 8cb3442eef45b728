// Streams: credit, turns, and their ends.
export const title = 'Streams'

const session = 'src/mux/session.ts'
const stream = 'src/mux/stream.ts'
const window = 'src/mux/window.ts'
const scheduler = 'src/mux/scheduler.ts'

export const mutants = [
  {
    name: 'takes a stream id twice, and dials twice',
    file: session,
    from: 'if (id <= this.#lastStreamId) throw',
    to: 'if (id < this.#lastStreamId) throw',
  },
  {
    name: 'sends one byte beyond the limit',
    file: window,
    from: 'return this.#limit - this.#sent',
    to: 'return this.#limit - this.#sent + 1',
  },
  {
    name: 'takes one byte beyond the limit',
    file: window,
    from: 'if (this.#received > this.#limit)',
    to: 'if (this.#received > this.#limit + 1)',
  },
  {
    name: 'takes one byte less than the limit',
    file: window,
    from: 'if (this.#received > this.#limit)',
    to: 'if (this.#received >= this.#limit)',
  },
  {
    name: 'lets a limit go back',
    file: window,
    from: 'if (limit <= this.#limit) return false',
    to: 'if (limit === this.#limit) return false',
  },
  {
    name: 'credits what has arrived, not what was read',
    file: stream,
    from: 'this.#receiveWindow.received - this.readableLength',
    to: 'this.#receiveWindow.received',
  },
  {
    name: 'gives no credit when read() empties the buffer',
    file: stream,
    from: 'super.read(size)\n    this.#returnCredit()',
    to: 'super.read(size)',
  },
  {
    name: 'does not go on when credit comes',
    file: stream,
    from: 'if (this.#sendWindow.grant(limit) && this.#pending.length > 0) this.#host.ready(this)',
    to: 'this.#sendWindow.grant(limit)',
  },
  {
    name: 'does not serve a stream again that has more to send',
    file: scheduler,
    from: 'if (sender.serve(share)) this.#ring.add(sender)',
    to: 'sender.serve(share)',
  },
  {
    name: 'gives one stream everything while others wait',
    file: scheduler,
    from: 'this.#ring.size === 0 ? room : Math.min(room, QUANTUM_BYTES)',
    to: '1e9',
  },
  {
    name: 'lets little wait behind bulk',
    file: scheduler,
    from: 'if (sender.pendingBytes > LITTLE_BYTES) {',
    to: 'if (sender.pendingBytes > 0) {',
  },
  {
    name: 'lets those who have little starve the others',
    file: scheduler,
    from: 'for (let left = this.#little.size; left > 0 &&',
    to: 'for (let left = 1e6; this.#little.size > 0 && left > 0 &&',
  },
  {
    name: 'takes DATA after FIN',
    file: stream,
    from: "if (this.#finReceived) throw violation('DATA after FIN')",
    to: '',
  },
  {
    name: 'ends a stream with its first FIN',
    file: stream,
    from: 'if (this.#finSent && this.#finReceived) this.#end()',
    to: 'if (this.#finSent || this.#finReceived) this.#end()',
  },
  {
    name: 'never ends a stream by its FINs',
    file: stream,
    from: 'if (this.#finSent && this.#finReceived) this.#end()',
    to: '',
  },
  {
    name: 'leaves the streams of a closed session open',
    file: session,
    from: 'stream.receiveReset(error)\n    this.#options',
    to: 'void stream\n    this.#options',
  },
]
