/** What the gateway reads of a batch of a client: the frame headers, and each OPEN, which it decides in place. */
import type { Decision } from '../net/pattern.ts'
import { type Target, targetFromJson } from '../net/target.ts'
import { decodeOpen, FrameType, Verdict, walkFrames } from '../wire/frame.ts'
import { decodeBatchHeader } from '../wire/message.ts'
import { decideOpen } from './acl.ts'
import { WORK } from './pace.ts'
import type { Principal } from './principal.ts'

/**
 * Stamps every OPEN with the verdict for `principal`, whatever stands there (docs/protocol.md, "Verdict"), and tells `opened` of each
 * that has a target. Returns how much work the batch is, here and at the agent.
 * @throws TunnelError PROTOCOL for what is no batch
 */
export function decideOpens(
  principal: Principal,
  message: Buffer,
  rest: readonly Buffer[],
  opened: (stream: number, target: Target, decision: Decision) => void,
): number {
  let work = 0
  decodeBatchHeader(message)
  walkFrames(
    message,
    (type, stream, start, end, part) => {
      work += WORK.frame
      if (type !== FrameType.OPEN) return
      const target = targetIn(part, start, end)
      // Without one the agent finds the same and answers BAD_TARGET; until then the answer is no.
      const decision = target === undefined ? NO : decideOpen(principal, target)
      if (target !== undefined) opened(stream, target, decision)
      part[start] = decision.allowed ? Verdict.ALLOWED : Verdict.DENIED
      work += decision.allowed ? WORK.open : WORK.denied
    },
    rest,
  )
  return work
}

const NO: Decision = { allowed: false }

function targetIn(part: Buffer, start: number, end: number): Target | undefined {
  try {
    return targetFromJson(decodeOpen(part, start, end).json)
  } catch {
    return undefined
  }
}
