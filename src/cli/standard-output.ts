/**
 * Stdout as a pipe that the event loop never waits for. Node writes to a piped stdout synchronously, so a reader that
 * stops would stop the heartbeats too; a socket over the same descriptor does not. Node puts the descriptor's flags back
 * when the process ends.
 */
import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { Output } from './io.ts'

/** A stream that ends with `end()`. Files and terminals keep Node's own. */
export function unblockedStdout(stdout: Output): Writable {
  const stat = fstatSync(1)
  return stat.isFIFO() || stat.isSocket() ? new Socket({ fd: 1, readable: false, writable: true }) : stdout
}
