/** Processes that nobody has ended, found by a mark in their environment, which all that they start inherits. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const POLLS = 60
const POLL_MS = 50

export class Marked {
  readonly env: Readonly<Record<string, string>> = { TEST_MARK: randomUUID() }

  /** The process ids and arguments of those that live. */
  alive(): Map<number, string> {
    const found = new Map<number, string>()
    for (const pid of readdirSync('/proc').map(Number)) {
      // Of a process that has ended and was not asked for its exit code yet, both are empty.
      if (pid > 0 && read(pid, 'environ').includes(`TEST_MARK=${this.env.TEST_MARK}`)) {
        found.set(pid, read(pid, 'cmdline').replaceAll('\0', ' ').trim())
      }
    }
    return found
  }

  /** The process whose arguments begin like this. */
  find(begin: string): number {
    const all = [...this.alive()]
    const [found] = all.find(([, args]) => args.startsWith(begin)) ?? []
    return found ?? assert.fail(`nothing runs as ${begin}: ${all.join('\n')}`)
  }

  /** Fails when one still lives after 3 s of polling. */
  async gone(): Promise<void> {
    let alive = this.alive()
    for (let poll = 0; poll < POLLS && alive.size > 0; poll++) {
      await sleep(POLL_MS)
      alive = this.alive()
    }
    for (const pid of alive.keys()) process.kill(pid, 'SIGKILL')
    assert.deepEqual([...alive.values()], [], 'left behind after 3 s')
  }
}

function read(pid: number, file: 'environ' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
