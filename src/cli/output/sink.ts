/** Where the events of `connect` are shown, chosen once: JSON lines, plain text, or a live block on a terminal. */
import type { Clock } from '../../clock.ts'
import type { ConnectSink, ConnectSnapshot } from '../../connect/events.ts'
import type { Io } from '../io.ts'
import { displayClock } from './clock.ts'
import { jsonOutput } from './json.ts'
import { type LiveActions, LiveOutput } from './live.ts'
import { terminalOf } from './terminal.ts'
import { type Talk, textOutput } from './text.ts'

export interface ConnectOutput extends ConnectSink {
  /** The first connection is being made. Text on a terminal shows a spinner until `connected` or `close`. */
  connecting(gateway: string): void
  /** A line for the person at the terminal, such as `stopping: 3 connections are open`. Text output only. */
  note(text: string): void
  /**
   * Nothing more will come. The terminal is as it was before, with the totals and `summary` left on it. Call it before
   * anything else writes to the terminal, a final error too. The second call does nothing.
   */
  close(summary?: string): void
}

export interface OutputOptions {
  readonly io: Pick<Io, 'stdout' | 'stderr' | 'env'>
  readonly output: 'text' | 'json'
  /** Text: quiet also means no live block. It is for wherever the terminal belongs to somebody else too. */
  readonly talk: Talk
  /** Text: the lines that go by, and no live block, at a terminal too. */
  readonly plain?: boolean
  /** Asked at most four times a second, and only by a live block. */
  readonly snapshot: () => ConnectSnapshot | undefined
  /** For a live block, where stdin is the terminal too. */
  readonly actions?: LiveActions | undefined
  /** Default: the system's, with timers that do not keep the process alive. */
  readonly clock?: Clock
}

export function createOutput({
  io,
  output,
  talk,
  plain = false,
  snapshot,
  actions,
  clock = displayClock,
}: OutputOptions): ConnectOutput {
  if (output === 'json') return jsonOutput(io)
  const terminal = terminalOf(io)
  if (talk === 'quiet' || plain || !terminal.live) return textOutput(io, terminal, talk)
  return new LiveOutput(io, { terminal, clock, talk, snapshot, actions })
}
