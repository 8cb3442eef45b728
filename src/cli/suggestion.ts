/** "did you mean": a target that was not reached, compared with those that agents publish. */
import { systemClock } from '../clock.ts'
import type { ConnectEvent } from '../connect/events.ts'
import { type ErrorCode, TunnelError } from '../errors.ts'
import { parseTarget } from '../net/target.ts'
import { type GatewayAccess, type ListedAgent, readDirectory } from './directory.ts'
import type { ConnectOutput } from './output/sink.ts'

/** Failures that a wrong name may be the reason of. */
const CODES: ReadonlySet<ErrorCode> = new Set(['DNS', 'DENIED', 'BAD_TARGET', 'REFUSED', 'UNREACHABLE'])
const TIMEOUT_MS = 1_000
const KEPT_MS = 10_000
const MAX_PATTERNS = 8

type Failure = Extract<ConnectEvent, { event: 'error' }>

/** The hint, with what the token allows; that of another issuer says nothing of it. */
async function allowedBy(token: string | undefined, hint: string): Promise<string> {
  const { inspectToken } = await import('../token/token.ts')
  const { allow } = token === undefined ? {} : inspectToken(token, Date.now()).claims
  if (!Array.isArray(allow)) return hint
  const more = allow.length > MAX_PATTERNS ? `, and ${allow.length - MAX_PATTERNS} more` : ''
  return `yours allows ${allow.slice(0, MAX_PATTERNS).map(String).join(', ')}${more}; ${hint}`
}

export class Suggestions {
  readonly #access: GatewayAccess
  #asked: { readonly at: number; readonly agents: Promise<readonly ListedAgent[]> } | undefined

  constructor(access: GatewayAccess) {
    this.#access = access
  }

  /** The failure, with what may have been meant in its hint. Never throws. */
  async improve(failure: TunnelError, target: string): Promise<TunnelError> {
    if (!CODES.has(failure.code)) return failure
    const hint = await this.#hint(target, failure)
    return new TunnelError(failure.code, failure.message, { hint, cause: failure.cause, retryable: failure.retryable })
  }

  /** Shows what `output` shows, with such failures a moment later. */
  around(output: ConnectOutput): ConnectOutput {
    const waiting = new Set<Failure>()
    const release = (failure: Failure, hint: string): void => {
      if (waiting.delete(failure)) output.event({ ...failure, hint })
    }
    return {
      event: event => {
        if (event.event !== 'error' || event.target === undefined || !CODES.has(event.code)) return output.event(event)
        waiting.add(event)
        void this.#hint(event.target, event).then(hint => release(event, hint))
      },
      connecting: gateway => output.connecting(gateway),
      note: text => output.note(text),
      close: summary => {
        for (const failure of waiting) release(failure, failure.hint)
        output.close(summary)
      },
    }
  }

  async #hint(
    target: string,
    { code, message, hint }: Pick<TunnelError, 'code' | 'message' | 'hint'>,
  ): Promise<string> {
    // The gateway decides by what the token says, and it is ours.
    const isOurs = code === 'DENIED' && message.startsWith('the token ')
    const [meant, what] = await Promise.all([
      this.#nearest(target).catch(() => undefined),
      isOurs ? allowedBy(this.#access.token, hint) : hint,
    ])
    return meant === undefined ? what : `did you mean ${meant}? ${what}`
  }

  async #nearest(text: string): Promise<string | undefined> {
    const [agents, { nearestTarget }] = await Promise.all([this.#agents(), import('./nearest.ts')])
    return nearestTarget(
      parseTarget(text),
      agents.flatMap(({ services }) => services),
    )
  }

  /** A browser behind --socks5 asks for any number of names that nobody has: the gateway is asked once for many. */
  #agents(): Promise<readonly ListedAgent[]> {
    const now = systemClock.now()
    if (this.#asked === undefined || now - this.#asked.at > KEPT_MS) {
      const agents = readDirectory({ ...this.#access, signal: AbortSignal.timeout(TIMEOUT_MS) })
      this.#asked = { at: now, agents }
    }
    return this.#asked.agents
  }
}
