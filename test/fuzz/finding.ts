/** What the parts of the fuzzer have in common. */
import { Kind, kindOf } from '../../src/wire/message.ts'

/** Something that a real process has done, or not done, that it must. */
export class Finding extends Error {
  override readonly name = 'Finding'
}

/** What was sent in a round, by the name of the connection. It is filled while the round is played. */
export type Sent = Map<string, readonly Buffer[]>

export interface RoundReport {
  /** That came from the real processes. */
  readonly messages: number
}

/** Some targets, with real processes of their own. */
export interface Lane {
  /** Targets that are played against at the same time, each round after round. */
  readonly tracks: readonly string[]
  /**
   * Plays the recording as it is: what changes of it shall reach must be reached by the recording itself.
   * @throws Finding
   */
  rehearse(): Promise<void>
  /**
   * Plays one round, and looks whether it has done harm.
   * @param seed decides all of it
   * @throws Finding
   */
  round(target: string, seed: string, sent: Sent): Promise<RoundReport>
  /** Looks how large the processes are; what they are when they are warm they may not exceed by far. */
  sample(warm: boolean): void
  /**
   * Nothing is left of all the rounds.
   * @throws Finding
   */
  settle(): Promise<void>
  /** A line about the processes. */
  describe(): string
}

export const STALE = 'the recording leads nowhere, perhaps because the protocol has changed (npm run fuzz -- --record)'

/** @throws Finding unless a session was attached and has carried something */
export function expectLively(messages: readonly Buffer[], who: string): void {
  const kinds = messages.map(kindOf)
  const carried = kinds.filter(kind => kind === Kind.BATCH).length
  if (kinds.includes(Kind.ATTACHED) && carried >= 5) return
  const got = messages.map(bytes => bytes.toString('latin1', 4, 100))
  throw new Finding(`${STALE}: ${who} got ${JSON.stringify(got)}`)
}
