/**
 * Dials under way, for each subject and target: what is over the limit waits for its turn, in order. So a service that does not answer
 * keeps nobody waiting but those who want it, and of them only the same subject.
 */
import { TunnelError } from '../errors.ts'

/** More than so many times as many as may dial do not wait. */
const WAITING_SHARE = 16
/** So many times as many a subject may dial, of all its targets together. */
const SUBJECT_SHARE = 8

interface Line {
  busy: number
  /** Insertion order is the order of turns. */
  readonly waiting: Set<() => void>
}

export class DialQueue {
  readonly #perTarget: number
  /** By subject and target. */
  readonly #lines = new Map<string, Line>()
  /** Dials under way by subject. */
  readonly #busy = new Map<string, number>()

  constructor(perTarget: number) {
    this.#perTarget = perTarget
  }

  /** Dials under way and waiting, of all. */
  get size(): number {
    let size = 0
    for (const { busy, waiting } of this.#lines.values()) size += busy + waiting.size
    return size
  }

  /**
   * Resolves when it is the caller's turn, with what gives it to the next; the caller calls that once, when its dial has ended.
   * Rejects with the reason of `signal` when that aborts first.
   * @throws TunnelError LIMIT when too many dial or wait already
   */
  async turn(subject: string, target: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    const key = `${subject} ${target}`
    const line = this.#lines.get(key) ?? { busy: 0, waiting: new Set() }
    if (line.busy < this.#perTarget) {
      const busy = this.#busy.get(subject) ?? 0
      if (busy >= SUBJECT_SHARE * this.#perTarget) throw tooMany(busy)
      this.#busy.set(subject, busy + 1)
      this.#lines.set(key, line)
      line.busy++
    } else if (line.waiting.size < WAITING_SHARE * this.#perTarget) await waitIn(line, signal)
    else throw tooMany(line.waiting.size)
    return () => this.#next(subject, key, line)
  }

  /** Whoever has waited longest takes over. */
  #next(subject: string, key: string, line: Line): void {
    const [first] = line.waiting
    if (first !== undefined) {
      line.waiting.delete(first)
      return first()
    }
    line.busy--
    if (line.busy === 0) this.#lines.delete(key)
    const busy = (this.#busy.get(subject) ?? 1) - 1
    if (busy > 0) this.#busy.set(subject, busy)
    else this.#busy.delete(subject)
  }
}

const tooMany = (count: number): TunnelError =>
  new TunnelError('LIMIT', `${count} connections wait for services that do not answer`)

function waitIn({ waiting }: Line, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      waiting.delete(go)
      reject(signal.reason)
    }
    const go = () => {
      signal.removeEventListener('abort', leave)
      resolve()
    }
    waiting.add(go)
    signal.addEventListener('abort', leave, { once: true })
  })
}
