/** What an example can be shown for: it ends, it becomes ready, it opens ports, it asks. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Process } from './processes.ts'
import { assertReaches } from './reachable.ts'
import { interrupt, type Sandbox, type Typed } from './sandbox.ts'
import { freePort } from './sockets.ts'
import { TestTerminal } from './terminal.ts'

export interface Play {
  readonly line: string
  readonly box: Sandbox
  readonly t: TestContext
  /** How each service that can be reached answers. */
  readonly answers: ReadonlyMap<string, RegExp>
}

interface Ends extends Typed {
  /** What must have been done. */
  readonly before?: string
  readonly says?: RegExp
  /** In shell, what is true afterwards. */
  readonly after?: string
}

export const ends =
  ({ before, says = /^/, after, ...typed }: Ends = {}) =>
  async ({ line, box }: Play) => {
    if (before !== undefined) await box.run(before)
    assert.match(await box.run(line, typed), says)
    if (after !== undefined) await box.run(after)
  }

/** Of a line for the file that a shell reads at its start: what it has done is seen in that shell. */
export const sourced =
  (before: string, shown: string, says: RegExp, shell: readonly string[]) =>
  async ({ line, box }: Play) =>
    assert.match(await box.run(`${before}\n${line}\n${shown}`, { shell }), says)

/** Becomes ready, says so, and ends at Ctrl-C. */
export const says =
  (what: RegExp, meanwhile: (job: Process, play: Play) => Promise<void> = async () => {}) =>
  async (play: Play) => {
    const job = play.box.start(play.line)
    await job.until(String(what), () => (what.test(job.stdout + job.stderr) ? true : undefined))
    await meanwhile(job, play)
    await interrupt(job)
  }

/** Forwards all of its targets, each to where it says. */
export const opens =
  (...targets: string[]) =>
  async ({ line, box, answers }: Play) => {
    const wanted = targets.length > 0 ? targets : [...answers.keys()].filter(each => line.includes(each))
    assert.ok(wanted.length > 0, 'no target of this line is known here')
    const job = box.start(line)
    for (const target of wanted) {
      await assertReaches(await localOf(job, target), target, answers.get(target) ?? assert.fail(target))
    }
    await interrupt(job)
  }

/** Where a job has said that it forwards to the target from. */
export const localOf = (job: Process, target: string): Promise<string> =>
  job.until(`forward to ${target}`, () => {
    const event = job.events.find(each => each.event === 'forwarding' && each.target === target)
    if (event !== undefined) return String(event.local)
    const said = [...job.stdout.matchAll(/^Forwarding from (\S+) -> (\S+)$/gm)]
    return said.find(([, , each]) => each === target)?.[1]
  })

/** Asks something at a terminal, and is answered. */
export const asks =
  (question: RegExp, answer: readonly string[], says: RegExp) =>
  async ({ line, box, t }: Play) => {
    const env = { ...box.env, LINE: line }
    const terminal = await TestTerminal.open(t, 'cd "$HOME"; bash -c "$LINE"; echo "ended with $?"; cat', env)
    await terminal.shows(question)
    await terminal.type(...answer, 'Enter')
    await terminal.shows(says)
    await terminal.type('C-c')
  }

/** Needs a connect that is running: `forward` at a free port, which takes the place of `placeholder`. */
export const beside =
  (forward: (port: number) => string, placeholder: RegExp, { says = /^/, ...typed }: Ends) =>
  async ({ line, box }: Play) => {
    const port = await freePort()
    const job = box.start(forward(port))
    await job.until('forward', () => /^Forwarding from/m.exec(job.stdout) ?? undefined)
    assert.match(await box.run(line.replace(placeholder, String(port)), typed), says)
    await interrupt(job)
  }

/** Sends the signal to a connect, which is seen to heed it. */
export const signals =
  (heeds: RegExp) =>
  async ({ line, box }: Play) => {
    const job = box.start('exec tunnelctl connect web/prod:80')
    await localOf(job, 'web/prod:80')
    await box.run(`${line} ${job.pid}`)
    await job.until(String(heeds), () => heeds.exec(job.stderr) ?? undefined)
    await interrupt(job)
  }
