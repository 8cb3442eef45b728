/** What the gateway reads of a batch of a client: the frame headers, and each OPEN, which it decides in place. */
import type { Decision } from '../net/pattern.ts'
import { type Target, targetFromJson } from '../net/target.ts'
import { decodeOpen, FrameType, type FrameVisitor, Verdict, walkFrames } from '../wire/frame.ts'
import { decodeBatchHeader } from '../wire/message.ts'
import { decideOpen } from './acl.ts'
import type { Leg } from './hop.ts'
import { WORK } from './pace.ts'

export interface VerdictEvents {
  /** An OPEN that has a target was decided. */
  opened(leg: Leg, stream: number, target: Target, decision: Decision): void
}

/** One for all batches, one after the other: a closure for each would cost as much as the rest of it. */
export class Verdicts {
  readonly #events: VerdictEvents
  #leg: Leg | undefined
  #work = 0

  constructor(events: VerdictEvents) {
    this.#events = events
  }

  /**
   * Stamps every OPEN with the verdict for whom `leg` is of, whatever stands there (docs/protocol.md, "Verdict"). Returns how much work
   * its frames are, here and at the agent.
   * @throws TunnelError PROTOCOL for what is no batch
   */
  stamp(leg: Leg, message: Buffer, rest: readonly Buffer[]): number {
    this.#leg = leg
    this.#work = 0
    decodeBatchHeader(message)
    walkFrames(message, this.#visit, rest)
    return this.#work
  }

  readonly #visit: FrameVisitor = (type, stream, start, end, part) => {
    this.#work += WORK.frame
    if (type !== FrameType.OPEN || this.#leg === undefined) return
    const allowed = this.#decide(this.#leg, stream, targetIn(part, start, end))
    part[start] = allowed ? Verdict.ALLOWED : Verdict.DENIED
    this.#work += allowed ? WORK.open : WORK.denied
  }

  /** Without a target the agent finds the same and answers BAD_TARGET; until then the answer is no. */
  #decide(leg: Leg, stream: number, target: Target | undefined): boolean {
    if (target === undefined) return false
    const decision = decideOpen(leg.hop.principal, target)
    this.#events.opened(leg, stream, target, decision)
    return decision.allowed
  }
}

function targetIn(part: Buffer, start: number, end: number): Target | undefined {
  try {
    return targetFromJson(decodeOpen(part, start, end).json)
  } catch {
    return undefined
  }
}
