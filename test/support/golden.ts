/**
 * Screens that are kept beside the tests, in test/e2e/screens. With UPDATE_SCREENS=1 they are written anew, to be looked at
 * before they are committed.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestTerminal } from './terminal.ts'

const LOOKS = 500
const LOOK_MS = 20

/** The screen becomes the one that is kept as `name`, but for what is different each time. `settled` is on it by then. */
export async function assertScreen(terminal: TestTerminal, name: string, settled: RegExp): Promise<void> {
  const file = new URL(`../e2e/screens/${name}.txt`, import.meta.url)
  if (process.env.UPDATE_SCREENS === '1') {
    writeFileSync(file, normalised(await terminal.shows(settled)))
    return
  }
  const kept = readFileSync(file, 'utf8')
  let seen = ''
  for (let look = 0; look < LOOKS; look++) {
    seen = normalised(await terminal.screen())
    if (seen === kept) return
    await sleep(LOOK_MS)
  }
  assert.equal(seen, kept, name)
}

/**
 * Ports, which have five digits here, as many `#`; the time that went by, and pings, one. The bars of the pings are gone:
 * there is one more every few seconds, as far as there is room.
 */
export function normalised(screen: string): string {
  const text = screen
    .replace(/:\d{5}\b/g, ':#####')
    .replace(/\b(up|open) \d+ s/g, '$1 # s')
    .replace(/\d+(\.\d+)?( ms\b)/g, '#$2')
    .replace(/\b(p50|p99) \d+(\.\d+)?/g, '$1 #')
    .replace(/ +[▁-█]+$/gm, '')
  return `${text.trimEnd()}\n`
}
