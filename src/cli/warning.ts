/** Warnings of a command, in one line each. */
import { escapeText } from '../observe/escape.ts'
import type { Io } from './io.ts'

const MAX_TEXT = 1_000
const said = new WeakMap<Io['stderr'], Set<string>>()

/** On stderr, once: whoever asks the gateway twice does not say the same twice. */
export function warn({ stderr }: Pick<Io, 'stderr'>, message: string): void {
  const before = said.get(stderr) ?? new Set()
  said.set(stderr, before)
  if (before.has(message)) return
  before.add(message)
  stderr.write(`warning: ${escapeText(message, MAX_TEXT)}\n`)
}
