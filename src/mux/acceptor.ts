/**
 * The agent side of attaching: the table of sessions, and the one synchronous function that creates or resumes one
 * (docs/protocol.md, "Attach" and "Resume"). It never waits for an old carrier to die.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Open } from '../wire/frame.ts'
import { type Attachment, decodeAttachment, encodeAttachment, Kind, shortId } from '../wire/message.ts'
import { type DetachedLimits, DetachedSessions, defaultDetachedLimits } from './detached.ts'
import { detachWith, inflightOf } from './initiator.ts'
import type { SessionLimits } from './limits.ts'
import type { Link } from './link.ts'
import type { SessionMemory } from './memory.ts'
import { KEY_BYTES, proofHolds } from './proof.ts'
import type { Route } from './route.ts'
import { Session } from './session.ts'
import type { Answers } from './stall.ts'
import type { Stream } from './stream.ts'

export interface AcceptorOptions {
  readonly clock: Clock
  /** Told to the other end in ATTACHED. */
  readonly agent: string
  /** Likewise: this process, whatever its name, for a resume must come back to it. */
  readonly instance: string
  readonly limits?: SessionLimits
  readonly pingIntervalMs?: number
  readonly maxSessions?: number
  readonly maxSessionsPerSubject?: number
  readonly detached?: DetachedLimits
  readonly memory?: SessionMemory
  /** As in SessionOptions, with whose it is. */
  readonly onOpen: (stream: Stream, open: Open, by: Opener) => void
  /** Somebody came for a session and did not get it. The other end is not told this much. */
  readonly onRefused?: (why: Refusal, subject: string) => void
  readonly trace?: (transition: string) => void
}

/** Who has opened a stream. */
export interface Opener {
  /** Whom the gateway has authenticated. */
  readonly subject: string
  /** The first bytes of the session's id, in hex: they tell sessions apart in a log, and let nobody in. */
  readonly session: string
}

export type Refusal = 'unknown session' | 'wrong proof' | 'another subject'

interface Entry {
  readonly session: Session
  readonly key: Buffer
  readonly subject: string
  epoch: number
  route: Route
}

const MAX_SESSIONS = 512
const MAX_SESSIONS_PER_SUBJECT = 64

export class Acceptor {
  readonly #options: AcceptorOptions
  readonly #entries = new Map<string, Entry>()
  readonly #detached: DetachedSessions
  #draining = false

  constructor(options: AcceptorOptions) {
    this.#options = options
    this.#detached = new DetachedSessions(options.clock, options.detached ?? defaultDetachedLimits)
  }

  get sessions(): number {
    return this.#entries.size
  }

  get streams(): number {
    let streams = 0
    for (const { session } of this.#entries.values()) streams += session.streams.size
    return streams
  }

  get detachedSessions(): number {
    return this.#detached.size
  }

  /** Bytes that all sessions keep to send them again. */
  get keptBytes(): number {
    let bytes = 0
    for (const { session } of this.#entries.values()) bytes += session.keptBytes
    return bytes
  }

  /** Of all sessions together. One that waits for its client to come back is due an answer, too. */
  look(): Answers {
    let awaiting = this.#detached.size > 0
    let answers = 0
    for (const { session } of this.#entries.values()) {
      const each = session.look()
      awaiting ||= each.awaiting
      answers += each.answers
    }
    return { awaiting, answers }
  }

  /** Refuses new sessions from now on; those that exist may still be resumed. */
  drain(): void {
    this.#draining = true
  }

  /** Resolves when the other ends of the sessions that are attached have everything. */
  async delivered(): Promise<void> {
    const live = [...this.#entries.values()].filter(({ session }) => session.state === 'live')
    await Promise.all(live.map(({ session }) => session.delivered()))
  }

  /** Serves one ATTACH that arrived on an unknown route of `link`. Answers ATTACHED or DETACH. */
  attach(link: Link, routeId: number, message: Buffer): void {
    try {
      const attachment = decodeAttachment(message)
      const id = attachment.sessionId.toString('hex')
      const entry = this.#entries.get(id)
      if ('key' in attachment.json) this.#create(link, routeId, id, entry, attachment)
      else this.#resume(link, routeId, entry, attachment)
    } catch (thrown) {
      link.send(detachWith(asTunnelError(thrown), routeId))
    }
  }

  /** Ends every session; the other ends are told. */
  close(error: TunnelError): void {
    for (const { session } of [...this.#entries.values()]) session.close(error, true)
  }

  #create(link: Link, routeId: number, id: string, existing: Entry | undefined, attachment: Attachment): void {
    const { json } = attachment
    if (existing !== undefined) throw unknownSession()
    if (this.#draining) throw new TunnelError('DRAINING', 'the agent is shutting down')
    if (this.#entries.size >= (this.#options.maxSessions ?? MAX_SESSIONS)) {
      throw new TunnelError('LIMIT', `the agent serves ${this.#entries.size} sessions already`)
    }
    const key = Buffer.from(typeof json.key === 'string' ? json.key : '', 'base64url')
    if (key.length !== KEY_BYTES) throw new TunnelError('PROTOCOL', 'the key of a new session has the wrong length')
    const subject = subjectOf(json)
    this.#makeRoomFor(subject)
    const opener: Opener = { subject, session: shortId(attachment.sessionId) }
    const session = new Session({
      side: 'acceptor',
      clock: this.#options.clock,
      ...(this.#options.limits && { limits: this.#options.limits }),
      ...(this.#options.pingIntervalMs !== undefined && { pingIntervalMs: this.#options.pingIntervalMs }),
      ...(this.#options.memory && { memory: this.#options.memory, owner: subject }),
      ...(this.#options.trace && { trace: this.#options.trace }),
      onOpen: (stream, open) => this.#options.onOpen(stream, open, opener),
      onDetached: () => this.#detached.add(session),
      onClosed: () => {
        this.#detached.remove(session)
        if (this.#entries.get(id) === entry) this.#entries.delete(id)
      },
    })
    const route = link.route(routeId, session)
    const entry: Entry = { session, key, subject, epoch: attachment.epoch, route }
    this.#entries.set(id, entry)
    this.#goLive(entry, route, attachment)
  }

  /** A subject's oldest session without a carrier gives way to its new one, so that it can fill nobody else's room. */
  #makeRoomFor(subject: string): void {
    const own = [...this.#entries.values()].filter(entry => entry.subject === subject)
    if (own.length < (this.#options.maxSessionsPerSubject ?? MAX_SESSIONS_PER_SUBJECT)) return
    const idle = own.find(({ session }) => session.state === 'detached')
    if (idle === undefined)
      throw new TunnelError('LIMIT', `${own.length} sessions of this subject are attached already`)
    idle.session.close(new TunnelError('SESSION_CLOSED', 'a newer session took its place'))
  }

  /** Unknown, not yours, and a wrong proof have one answer: nobody learns which sessions exist. */
  #resume(link: Link, routeId: number, entry: Entry | undefined, attachment: Attachment): void {
    const { epoch, sessionId, json } = attachment
    const subject = subjectOf(json)
    // Work of the same length for an unknown session, so that the time tells nothing either.
    const proven = proofHolds(entry?.key ?? NO_KEY, sessionId, epoch, json.proof)
    const same = sameSubject(entry?.subject ?? '', subject)
    if (entry === undefined || !proven || !same) {
      const why = entry === undefined ? 'unknown session' : proven ? 'another subject' : 'wrong proof'
      this.#options.onRefused?.(why, subject)
      throw unknownSession()
    }
    if (epoch <= entry.epoch) {
      throw new TunnelError('STALE_EPOCH', `epoch ${epoch} is not above ${entry.epoch}`)
    }
    const old = entry.route
    old.send(detachWith(new TunnelError('SUPERSEDED', 'a newer carrier serves this session'), old.id))
    entry.epoch = epoch
    entry.route = link.route(routeId, entry.session)
    this.#detached.remove(entry.session)
    this.#goLive(entry, entry.route, attachment)
  }

  #goLive(entry: Entry, route: Route, attachment: Attachment): void {
    const { session } = entry
    const { agent, instance } = this.#options
    route.send(
      encodeAttachment(Kind.ATTACHED, route.id, {
        epoch: attachment.epoch,
        sessionId: attachment.sessionId,
        expected: session.expected,
        json: { agent, instance, maxInflight: session.limits.maxInflightBytes },
      }),
    )
    try {
      session.attach(route, attachment.expected, inflightOf(attachment.json))
    } catch (thrown) {
      session.close(asTunnelError(thrown), true)
    }
  }
}

const NO_KEY = Buffer.alloc(KEY_BYTES)

/** The gateway has put it there in place of whatever the client sent. */
function subjectOf(json: Record<string, unknown>): string {
  const { subject } = json
  if (typeof subject !== 'string' || subject === '') throw new TunnelError('PROTOCOL', 'ATTACH names no subject')
  return subject
}

function sameSubject(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

function unknownSession(): TunnelError {
  return new TunnelError('NOT_FOUND', 'no such session at this agent')
}
