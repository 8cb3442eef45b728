/**
 * The connect side of attaching: creates a session at an agent and resumes it over new carriers. Only this side
 * initiates (docs/protocol.md, "Attach" and "Resume").
 */
import { asTunnelError, type ErrorCode, TunnelError } from '../errors.ts'
import {
  decodeAttachment,
  decodeDetach,
  encodeAttachment,
  encodeDetach,
  Kind,
  kindOf,
  SESSION_ID_BYTES,
  violation,
} from '../wire/message.ts'
import type { Link } from './link.ts'
import { KEY_BYTES, resumeProof } from './proof.ts'
import type { Route } from './route.ts'
import { Session } from './session.ts'
import type { SessionOptions } from './session-options.ts'

export interface InitiatorOptions extends Omit<SessionOptions, 'side' | 'onOpen'> {
  readonly agent: string
  readonly randomBytes: (bytes: number) => Buffer
  readonly attachTimeoutMs?: number
}

const ATTACH_TIMEOUT_MS = 10_000
/**
 * How long the process that holds the session may be away from a gateway where another of the same name is. Both lost the
 * gateway together and come back on their own: this is longer than an agent takes (carrier/backoff.ts).
 */
const INSTANCE_AWAY_MS = 3_000

/**
 * What the agent may know of the session. After an attempt without an answer it may have been created there, so the
 * next one must prove the key: creating it again would open its streams twice.
 */
type Knowledge = 'unknown to the agent' | 'perhaps known' | 'known'

/** One ATTACH that waits for its answer. */
interface Attempt {
  readonly epoch: number
  readonly sessionId: Buffer
  readonly before: Knowledge
}

export class Initiator {
  readonly session: Session
  readonly #options: InitiatorOptions
  #sessionId: Buffer
  #key: Buffer
  #epoch = 0
  /** The highest that was answered: an older answer may come later, over another carrier. */
  #attachedEpoch = 0
  #knowledge: Knowledge = 'unknown to the agent'
  /** The agent process that holds the session, as it calls itself. */
  #instance: string | undefined
  #awaySince: number | undefined

  constructor(options: InitiatorOptions) {
    this.#options = options
    this.#sessionId = options.randomBytes(SESSION_ID_BYTES)
    this.#key = options.randomBytes(KEY_BYTES)
    this.session = new Session({ ...options, side: 'initiator' })
  }

  /**
   * Attaches the session over `link`: creates it the first time, resumes it later. After a failure the session waits for
   * another attempt, unless the agent said that it is over: then it is closed. Until it has worked, the session stays on
   * the carrier that it has. An attempt that `signal` aborts, or that gets no answer, is given up at both ends.
   * @throws TunnelError why it did not work; AGENT_SILENT without an answer
   */
  attach(link: Link, signal?: AbortSignal): Promise<void> {
    const { session } = this
    const before = this.#knowledge
    const attempt: Attempt = { epoch: ++this.#epoch, sessionId: this.#sessionId, before }
    return new Promise((resolve, reject) => {
      let answered = false
      const settle = (error?: TunnelError) => {
        answered = true
        cancel()
        signal?.removeEventListener('abort', giveUp)
        if (error === undefined) return resolve()
        route.close()
        reject(error)
      }
      const abandon = (error: TunnelError) => {
        route.send(detachWith(new TunnelError('AGENT_UNAVAILABLE', error.message), route.id))
        settle(error)
      }
      const giveUp = () => abandon(new TunnelError('AGENT_SILENT', 'the attempt was given up'))
      const timeoutMs = this.#options.attachTimeoutMs ?? ATTACH_TIMEOUT_MS
      const cancel = session.clock.after(timeoutMs, () => {
        abandon(new TunnelError('AGENT_SILENT', `the agent did not answer within ${timeoutMs / 1000} s`))
      })
      signal?.addEventListener('abort', giveUp, { once: true })
      const route = link.openRoute({
        message: (message, rest) => {
          if (answered) return session.message(message, rest)
          const refusal = this.#answer(message, route, attempt)
          if (refusal !== 'ignored') settle(refusal)
        },
        drain: () => session.drain(),
        lost: error => (answered ? session.lost(error) : settle(error)),
      })
      this.#knowledge = before === 'known' ? 'known' : 'perhaps known'
      route.send(this.#attachMessage(route.id, attempt))
    })
  }

  /** Ends the session at both ends. */
  close(error: TunnelError): void {
    this.session.close(error, true)
  }

  #attachMessage(route: number, { epoch, sessionId, before }: Attempt): Buffer {
    const credential =
      before === 'unknown to the agent'
        ? { key: this.#key.toString('base64url') }
        : { proof: resumeProof(this.#key, sessionId, epoch).toString('base64url') }
    const { maxInflightBytes } = this.session.limits
    return encodeAttachment(Kind.ATTACH, route, {
      epoch,
      sessionId,
      expected: this.session.expected,
      json: { agent: this.#options.agent, maxInflight: maxInflightBytes, instance: this.#instance, ...credential },
    })
  }

  /** The first message on the new route. Returns why the session is not attached, or undefined when it is. */
  #answer(message: Buffer, route: Route, attempt: Attempt): TunnelError | undefined | 'ignored' {
    const { epoch, before } = attempt
    try {
      switch (kindOf(message)) {
        case Kind.ATTACHED: {
          const { epoch: answered, sessionId, expected, json } = decodeAttachment(message)
          if (answered !== epoch || !sessionId.equals(attempt.sessionId))
            throw violation('ATTACHED answers another ATTACH')
          if (this.session.state === 'closed' || attempt.sessionId !== this.#sessionId) return this.#endAtAgent(route)
          if (epoch < this.#attachedEpoch) return new TunnelError('STALE_EPOCH', 'a newer carrier was attached first')
          this.#attachedEpoch = epoch
          this.#knowledge = 'known'
          if (typeof json.instance === 'string') this.#instance = json.instance
          this.#awaySince = undefined
          this.session.attach(route, expected, inflightOf(json))
          return undefined
        }
        case Kind.DETACH: {
          const { final, code, reason } = decodeDetach(message)
          const { code: name, message: text } = TunnelError.fromWire(code, reason)
          const error = new TunnelError(name, text, { retryable: !final })
          if (refusedBeforeAgent.has(name)) this.#knowledge = this.#knowledge === 'known' ? 'known' : before
          else if (name === 'NOT_FOUND' && before !== 'known') return this.#neverArrived(attempt)
          else if (final) this.session.close(error)
          if (name === 'INSTANCE_AWAY') this.#instanceAway()
          return error
        }
        default:
          return 'ignored'
      }
    } catch (thrown) {
      const error = asTunnelError(thrown)
      this.session.close(error, true)
      return error
    }
  }

  #instanceAway(): void {
    const { clock, state } = this.session
    this.#awaySince ??= clock.now()
    if (state !== 'detached' || clock.now() - this.#awaySince < INSTANCE_AWAY_MS) return
    this.session.close(new TunnelError('NOT_FOUND', 'the agent has restarted, and does not have the session any more'))
  }

  /**
   * When this attempt was made, the agent had not seen the ATTACH that creates the session. If that is so still, nothing was
   * sent on the session, and it can be created under a new name; the old one might reach the agent yet. If the agent has
   * seen it meanwhile, over another carrier, this answer is old.
   */
  #neverArrived(attempt: Attempt): TunnelError {
    if (this.#knowledge === 'known') return new TunnelError('STALE_EPOCH', 'another carrier was attached first')
    if (attempt.sessionId === this.#sessionId) {
      this.#sessionId = this.#options.randomBytes(SESSION_ID_BYTES)
      this.#key = this.#options.randomBytes(KEY_BYTES)
      this.#knowledge = 'unknown to the agent'
    }
    return new TunnelError('NOT_FOUND', 'the session did not reach the agent', { retryable: true })
  }

  /** The agent has attached what this side has given up meanwhile. */
  #endAtAgent(route: Route): TunnelError {
    const error = new TunnelError('SESSION_CLOSED', 'the session has ended', { retryable: false })
    route.send(detachWith(error, route.id))
    return error
  }
}

/** Answers that the gateway gives on its own: the agent has not seen the ATTACH. */
const refusedBeforeAgent: ReadonlySet<ErrorCode> = new Set([
  'AGENT_UNAVAILABLE',
  'INSTANCE_AWAY',
  'FORBIDDEN',
  'DRAINING',
])

/** The refusal of an ATTACH, or the end of a route that an end cannot serve. */
export function detachWith(error: TunnelError, route: number, retryMs = 0): Buffer {
  return encodeDetach(route, { final: !error.retryable, code: error.wire, retryMs, reason: error.message })
}

/** The peer's bound on unacknowledged bytes. What is missing or absurd falls back to the smallest that works. */
export function inflightOf(json: Record<string, unknown>): number {
  const { maxInflight } = json
  return typeof maxInflight === 'number' && maxInflight >= MIN_INFLIGHT_BYTES ? maxInflight : MIN_INFLIGHT_BYTES
}

const MIN_INFLIGHT_BYTES = 512 * 1024
