// The gateway: routes, queues, who is who.
export const title = 'Gateway'

const relay = 'src/gateway/relay.ts'
const hop = 'src/gateway/hop.ts'
const registry = 'src/gateway/registry.ts'

export const mutants = [
  {
    name: 'lets the late end of an old carrier take its successor out of the registry',
    file: registry,
    from: '.filter(other => other !== hop)',
    to: '.filter(() => false)',
  },
  {
    name: 'gives the name of an agent to another subject',
    file: registry,
    from: 'principal.subject !== hop.principal.subject',
    to: 'principal.role !== hop.principal.role',
  },
  {
    name: 'resumes at another process than the one that holds the session',
    file: relay,
    from: 'this.registry.find(name, holder)',
    to: 'this.registry.find(name)',
  },
  {
    name: 'gives new sessions to an agent that drains',
    file: registry,
    from: 'hops.findLast(hop => !hop.draining)',
    to: 'hops.at(-1)',
  },
  {
    name: 'does not tell the process that was superseded',
    file: relay,
    from: 'superseded.send(',
    to: 'void (',
  },
  {
    name: 'asks no end to leave when it drains',
    file: 'src/gateway/reception.ts',
    from: 'hop.send(encodeJson(Kind.DRAIN, { afterMs: Math',
    to: 'void (encodeJson(Kind.DRAIN, { afterMs: Math',
  },
  {
    name: 'lets the end of an old route take away its successor',
    file: hop,
    from: 'if (this.legs.get(leg.route) !== leg) return',
    to: '',
  },
  {
    name: 'keeps the route at the far end when a carrier is lost',
    file: relay,
    from: '    peer.hop.removeLeg(peer)\n',
    to: '',
  },
  {
    name: 'keeps the route at the far end after a DETACH',
    file: relay,
    from: 'peer.hop.retireLeg(peer)',
    to: '',
  },
  {
    name: 'forwards on a route that is not paired any more',
    file: relay,
    from: 'peer.peer = undefined\n    peer.hop.removeLeg(peer)',
    to: '',
  },
  {
    name: 'tells nobody that a carrier was lost',
    file: relay,
    from: '    peer.hop.removeLeg(peer)\n    peer.hop.send(detachOf(error, peer.route, final))\n',
    to: '    peer.hop.removeLeg(peer)\n',
  },
  {
    name: 'says that the loss of a carrier is the end of its sessions',
    file: relay,
    from: 'route: number, final = false): Buffer',
    to: 'route: number, final = true): Buffer',
  },
  {
    name: 'says that an agent which is not here never will be',
    file: relay,
    from: 'encodeDetach(route, { final: !retryable,',
    to: 'encodeDetach(route, { final: true,',
  },
  {
    name: 'passes OPEN on with the verdict of the client',
    file: 'src/gateway/verdict.ts',
    from: '    part[start] = allowed ? Verdict.ALLOWED : Verdict.DENIED\n',
    to: '',
  },
  {
    name: 'believes the client who it is',
    file: relay,
    from: 'subject: hop.principal.subject }',
    to: 'subject: json.subject ?? hop.principal.subject }',
  },
  {
    name: 'lets a message overtake those that are queued',
    file: hop,
    from: 'if (leg.queuedMessages === 0 && ',
    to: 'if (',
  },
  {
    name: 'queues more bytes than may be under way',
    file: hop,
    from: '> MAX_QUEUE_BYTES ||',
    to: '> 2 * MAX_QUEUE_BYTES ||',
  },
  {
    name: 'queues more messages than may be under way',
    file: hop,
    from: 'this.queuedMessages >= MAX_QUEUE_MESSAGES',
    to: 'this.queuedMessages >= 2 * MAX_QUEUE_MESSAGES',
  },
  {
    name: 'forgets a queued message',
    file: hop,
    from: 'if (leg.queuedMessages > 0) this.#waiting.add(leg)',
    to: '',
  },
]
