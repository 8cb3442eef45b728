/** "did you mean": a target that was not reached, compared with those that agents publish. */
import type { ConnectEvent } from '../connect/events.ts'
import { type ErrorCode, TunnelError } from '../errors.ts'
import { parseTarget } from '../net/target.ts'
import { type GatewayAccess, readDirectory } from './directory.ts'
import type { ConnectOutput } from './output/sink.ts'

/** Failures that a wrong name may be the reason of. */
const CODES: ReadonlySet<ErrorCode> = new Set(['DNS', 'DENIED', 'BAD_TARGET', 'REFUSED', 'UNREACHABLE'])
const TIMEOUT_MS = 1_000

type Failure = Extract<ConnectEvent, { event: 'error' }>

export class Suggestions {
  readonly #access: GatewayAccess
  /** Per target, once: what was suggested. */
  readonly #asked = new Map<string, Promise<string | undefined>>()

  constructor(access: GatewayAccess) {
    this.#access = access
  }

  /** The failure, with what may have been meant in its hint. Never throws. */
  async improve(failure: TunnelError, target: string): Promise<TunnelError> {
    if (!CODES.has(failure.code)) return failure
    const hint = await this.#hint(target, failure.hint)
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
        void this.#hint(event.target, event.hint).then(hint => release(event, hint))
      },
      connecting: gateway => output.connecting(gateway),
      note: text => output.note(text),
      close: summary => {
        for (const failure of waiting) release(failure, failure.hint)
        output.close(summary)
      },
    }
  }

  async #hint(target: string, hint: string): Promise<string> {
    let asked = this.#asked.get(target)
    if (asked === undefined) {
      asked = this.#nearest(target).catch(() => undefined)
      this.#asked.set(target, asked)
    }
    const meant = await asked
    return meant === undefined ? hint : `did you mean ${meant}? ${hint}`
  }

  async #nearest(text: string): Promise<string | undefined> {
    const [agents, { nearestTarget }] = await Promise.all([
      readDirectory({ ...this.#access, signal: AbortSignal.timeout(TIMEOUT_MS) }),
      import('./nearest.ts'),
    ])
    return nearestTarget(
      parseTarget(text),
      agents.flatMap(({ services }) => services),
    )
  }
}
