// Memory: slabs that are used again (src/slab.ts).
export const title = 'Memory'

export const mutants = [
  {
    name: 'gives back what was acknowledged and has not left',
    file: 'src/mux/replay.ts',
    from: 'kept.leavesAt <= leftBytes',
    to: 'kept.leavesAt > -1',
  },
  {
    name: 'gives back what may be queued on the route before',
    file: 'src/mux/outbox.ts',
    from: '    this.#replay.forgetRoute()\n',
    to: '',
  },
  {
    name: 'gives back at once what goes into a batch as it is',
    file: 'src/wire/batch.ts',
    from: '      rest.push(payload)\n',
    to: '      rest.push(payload)\n      giveBack(payload)\n',
  },
  {
    name: 'does not keep the payload that a stream holds',
    file: 'src/mux/stream.ts',
    from: '      lend(payload)\n',
    to: '',
  },
  {
    name: 'gives back a buffer before it has left',
    file: 'src/net/writing.ts',
    from: '    return this.#to.write(part, this.#sent)\n',
    to: '    const more = this.#to.write(part)\n    this.#sent()\n    return more\n',
  },
  {
    name: 'does not keep the parts of a message',
    file: 'src/carrier/framing.ts',
    from: '        lend(part)\n',
    to: '',
  },
  {
    name: 'reads again into what was just handed over',
    file: 'src/net/reading.ts',
    from: '    lend(chunk)\n',
    to: '',
  },
  {
    name: 'gives back a message that waits at the gateway',
    file: 'src/gateway/hop.ts',
    from: '    this.#bytes += bytes\n    this.hop',
    to: '    giveBackAll(message, rest)\n    this.#bytes += bytes\n    this.hop',
  },
]
