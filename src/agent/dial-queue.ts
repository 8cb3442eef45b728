/** Dials under way, by subject: what is over the limit waits for its turn, in order, and for nobody but its own subject. */

import { TunnelError } from '../errors.ts'

/** More than so many times as many as may dial do not wait. */
const WAITING_SHARE = 4

interface Line {
  busy: number
  /** Insertion order is the order of turns. */
  readonly waiting: Set<() => void>
}

export class DialQueue {
  readonly #perSubject: number
  readonly #lines = new Map<string, Line>()

  constructor(perSubject: number) {
    this.#perSubject = perSubject
  }

  /** Dials under way and waiting, of all subjects. */
  get size(): number {
    let size = 0
    for (const { busy, waiting } of this.#lines.values()) size += busy + waiting.size
    return size
  }

  /**
   * Resolves when it is the caller's turn, with what gives it to the next; the caller calls that once, when its dial has ended.
   * Rejects with the reason of `signal` when that aborts first.
   * @throws TunnelError LIMIT when too many wait already
   */
  async turn(subject: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    const line = this.#lines.get(subject) ?? { busy: 0, waiting: new Set() }
    this.#lines.set(subject, line)
    if (line.waiting.size >= WAITING_SHARE * this.#perSubject)
      throw new TunnelError('LIMIT', `${line.waiting.size} connections wait for services that do not answer`)
    if (line.busy >= this.#perSubject) await waitIn(line, signal)
    else line.busy++
    return () => this.#next(subject, line)
  }

  /** Whoever has waited longest takes over. */
  #next(subject: string, line: Line): void {
    const [first] = line.waiting
    if (first !== undefined) {
      line.waiting.delete(first)
      return first()
    }
    line.busy--
    if (line.busy === 0) this.#lines.delete(subject)
  }
}

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
