// Attach, resume, detach: who takes over what, when, and with what proof.
export const title = 'Attach and resume'

const session = 'src/mux/session.ts'
const initiator = 'src/mux/initiator.ts'
const acceptor = 'src/mux/acceptor.ts'
const detached = 'src/mux/detached.ts'
const proof = 'src/mux/proof.ts'
const link = 'src/mux/link.ts'
const ping = 'src/mux/ping.ts'

export const mutants = [
  {
    name: 'uses an epoch again',
    file: initiator,
    from: 'epoch: ++this.#epoch',
    to: 'epoch: this.#epoch || ++this.#epoch',
  },
  {
    name: 'takes an epoch that is equal to the last one',
    file: acceptor,
    from: 'if (epoch <= entry.epoch)',
    to: 'if (epoch < entry.epoch)',
  },
  {
    name: 'does not remember the epoch',
    file: acceptor,
    from: 'entry.epoch = epoch',
    to: '',
  },
  {
    name: 'lets an older answer take the session from a newer one',
    file: initiator,
    from: 'if (epoch < this.#attachedEpoch)',
    to: 'if (epoch < 0)',
  },
  {
    name: 'takes messages of a superseded route',
    file: session,
    from: 'this.#route?.close()\n    this.#route = route',
    to: 'this.#route = route',
  },
  {
    name: 'waits for the old carrier to die',
    file: acceptor,
    from: 'const old = entry.route',
    to: "if (entry.session.state === 'live') throw new TunnelError('AGENT_UNAVAILABLE', 'still attached')\n    const old = entry.route",
  },
  {
    name: 'does not tell the old route that it is superseded',
    file: acceptor,
    from: 'old.send(detachWith(',
    to: 'void ((',
  },
  {
    name: 'forgets the streams at a resume',
    file: session,
    from: "this.#transition('live'",
    to: "this.#streams.clear()\n    this.#transition('live'",
  },
  {
    name: 'sends the key again when the agent may know it',
    file: initiator,
    from: "before === 'unknown to the agent'\n        ? { key",
    to: "before !== 'known'\n        ? { key",
  },
  {
    name: 'creates a session twice under one id, so that its streams are opened twice',
    file: acceptor,
    from: 'if (existing !== undefined) throw unknownSession()',
    to: '',
  },
  {
    name: 'takes a resume without a proof',
    file: acceptor,
    from: 'entry === undefined || !proven ||',
    to: 'entry === undefined ||',
  },
  {
    name: 'takes a resume by another subject',
    file: acceptor,
    from: ' || !same',
    to: '',
  },
  {
    name: 'leaves the epoch out of the proof',
    file: proof,
    from: '.update(counter)',
    to: '',
  },
  {
    name: 'answers NOT_FOUND as if it would pass',
    file: acceptor,
    from: "'no such session at this agent')",
    to: "'no such session at this agent', { retryable: true })",
  },
  {
    name: 'takes every refusal for final',
    file: initiator,
    from: 'final: !error.retryable',
    to: 'final: true',
  },
  {
    name: 'takes a DETACH for final that is not',
    file: session,
    from: 'return final ? this.close(error) : this.lost(error)',
    to: 'return this.close(error)',
  },
  {
    name: 'takes a final DETACH for one that is not',
    file: session,
    from: 'return final ? this.close(error) : this.lost(error)',
    to: 'return this.lost(error)',
  },
  {
    name: 'gives up a session that never reached the agent',
    file: initiator,
    from: "name === 'NOT_FOUND' && before !== 'known'",
    to: "name === 'NOT_FOUND' && before === undefined",
  },
  {
    name: 'keeps a session without a carrier for ever',
    file: detached,
    from: 'this.#clock.after(ttlMs, ',
    to: '((..._: unknown[]) => () => {})(ttlMs, ',
  },
  {
    name: 'keeps sessions without a carrier beyond the budget',
    file: detached,
    from: 'if (bytes <= this.#limits.budgetBytes) break',
    to: 'break',
  },
  {
    name: 'drops the session first that was detached last',
    file: detached,
    from: 'of [...this.#sessions.keys()]) {',
    to: 'of [...this.#sessions.keys()].reverse()) {',
  },
  {
    name: 'forgets a session that was resumed in time',
    file: acceptor,
    from: 'this.#detached.remove(entry.session)',
    to: '',
  },
  {
    name: 'takes new sessions while the agent drains',
    file: acceptor,
    from: 'if (this.#draining) throw',
    to: 'if (false) throw',
  },
  {
    name: 'gives a session up because the process that holds it is away for a moment',
    file: initiator,
    from: 'clock.now() - this.#awaySince < INSTANCE_AWAY_MS',
    to: 'false',
  },
  {
    name: 'waits for ever for a process that will not come back',
    file: initiator,
    from: 'clock.now() - this.#awaySince < INSTANCE_AWAY_MS',
    to: 'true',
  },
  {
    name: 'never notices a stall',
    file: 'src/mux/stall.ts',
    from: "this.#state = 'stalled'",
    to: 'return',
  },
  {
    name: 'loses its patience with every carrier of a slow link',
    file: 'src/mux/stall.ts',
    from: 'this.#patience *= 2',
    to: '',
  },
  {
    name: 'lets the end of an old link take away its successor',
    file: 'src/mux/links.ts',
    from: 'if (this.#current !== link) return\n      this.#current = undefined',
    to: 'this.#current = undefined',
  },
  {
    name: 'gives an attempt up without a word to the gateway',
    file: initiator,
    from: 'const abandon = (error: TunnelError) => {',
    to: 'const abandon = (error: TunnelError) => {\n        return settle(error)',
  },
  {
    name: 'delivers on a route that was closed',
    file: link,
    from: 'this.#routes.delete(id)',
    to: '',
  },
  {
    name: 'uses the nonce of a ping again',
    file: ping,
    from: 'this.#nonce++',
    to: '',
  },
]
