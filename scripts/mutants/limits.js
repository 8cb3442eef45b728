// What others may take, and who is let in.
export const title = 'Limits and doors'

const hop = 'src/gateway/hop.ts'
const relay = 'src/gateway/relay.ts'
const pace = 'src/gateway/pace.ts'
const shares = 'src/gateway/shares.ts'
const memory = 'src/mux/memory.ts'
const auth = 'src/gateway/auth.ts'

export const mutants = [
  {
    name: 'never holds a carrier that causes too much work',
    file: relay,
    from: 'if (pace !== undefined && pace.waitMs > 0) carrier.hold(pace.waitMs, () => pace.waitMs)',
    to: '',
  },
  {
    name: 'takes an OPEN for as little work as any frame',
    file: 'src/gateway/verdict.ts',
    from: '    this.#work += allowed ? WORK.open : WORK.denied\n',
    to: '',
  },
  {
    name: 'forgets what was spent beyond the budget',
    file: 'src/net/bucket.ts',
    from: 'Math.max(-MOST_OWED_S * this.#perSecond, this.#tokens - tokens)',
    to: 'Math.max(0, this.#tokens - tokens)',
  },
  {
    name: 'gives each carrier of a subject a budget of its own',
    file: shares,
    from: 'const known = this.#shares.get(key)',
    to: 'const known = this.#shares.get(crypto.randomUUID())',
  },
  {
    name: 'lets a budget have a whole second at once',
    file: pace,
    from: 'const BURST_S = 0.02',
    to: 'const BURST_S = 1',
  },
  {
    name: 'does not count what leaves a queue',
    file: hop,
    from: '    this.hop.memory.bytes -= queued.bytes\n',
    to: '',
  },
  {
    name: 'queues for all routes together as much as comes',
    file: relay,
    from: 'this.memory.bytes > this.#limits.queuedBytes',
    to: 'false',
  },
  {
    name: 'resets the stream that holds least',
    file: memory,
    from: 'weight(b) - weight(a)',
    to: 'weight(a) - weight(b)',
  },
  {
    name: 'lets all sessions together hold more than they may',
    file: memory,
    from: 'let total = -this.#limits.totalBytes',
    to: 'let total = -2 * this.#limits.totalBytes',
  },
  {
    name: 'lets dials wait without a bound',
    file: 'src/agent/dial-queue.ts',
    from: 'line.waiting.size < WAITING_SHARE * this.#perTarget',
    to: 'true',
  },
  {
    name: 'lets streams that lead nowhere go on',
    file: 'src/agent/vain.ts',
    from: 'return account.bucket.take(this.#clock.now()) ? 1 : undefined',
    to: 'return 0',
  },
  {
    name: 'keeps a peer that speaks and takes nothing',
    file: 'src/carrier/liveness.ts',
    from: 'return stuckMs >= this.#heartbeat.stuckMs ?',
    to: 'return false ?',
  },
  {
    name: 'delivers what comes while a carrier is held',
    file: 'src/carrier/framing.ts',
    from: '    this.#held ??= []\n',
    to: '',
  },
  {
    name: 'never closes who keeps the door waiting',
    file: 'src/gateway/ingress/arrivals.ts',
    from: 'at - oldest.at > PATIENCE_MS ? oldest.socket : socket',
    to: 'socket',
  },
  {
    name: 'keeps the queue of a carrier that has ended',
    file: relay,
    from: '    hop.clear()\n',
    to: '',
  },
  {
    name: 'lets what came with the handshake undo a hold',
    file: 'src/carrier/websocket.ts',
    from: 'if (this.#cancelHold === undefined) socket.resume()',
    to: 'socket.resume()',
  },
  {
    name: 'takes what reached its service for vain',
    file: 'src/agent/vain.ts',
    from: 'account.bucket.give(this.#clock.now(), paid)',
    to: '',
  },
  {
    name: 'keeps the sessions of who is revoked',
    file: relay,
    from: 'this.#unpair(leg, error, true)',
    to: 'this.#unpair(leg, error)',
  },
  {
    name: 'takes a key for any algorithm',
    file: auth,
    from: 'if (found.algorithms.includes(String(alg))) return found.key',
    to: 'return found.key',
  },
  {
    name: 'lets in who is revoked',
    file: auth,
    from: 'if (!this.isRevoked(principal)) return principal',
    to: 'return principal',
  },
  {
    name: 'takes a certificate and a token together',
    file: auth,
    from: '!(certified instanceof TunnelError) && token !== undefined',
    to: '!(certified instanceof TunnelError) && false',
  },
  {
    name: 'believes a certificate that nobody has signed',
    file: 'src/gateway/client-certificates.ts',
    from: 'if (!socket.authorized)',
    to: 'if (false)',
  },
  {
    name: 'lets a service lead out of the cluster',
    file: 'src/agent/policy.ts',
    from: 'if (isAllowedExternal(this.#external, host, port)) return',
    to: 'return',
  },
  {
    name: 'does not follow an alias into the cluster',
    file: 'src/agent/aliases.ts',
    from: "      services.push({ ...service, host: name.replace(/\\.$/, '') })\n",
    to: '',
  },
]
