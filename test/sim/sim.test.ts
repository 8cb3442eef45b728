import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Simulation } from './simulation.ts'

const first = Number(process.env.SEED ?? 1)
const count = Number(process.env.COUNT ?? 2_000)

/** Worlds that found a bug once. */
const regressions = new Map<number, string>([
  [95, 'an agent whose only carrier is a black hole, and whose sessions are all detached, finds it out'],
  [198, 'an agent that hears the gateway, but is not heard, finds it out'],
])

for (const [seed, what] of regressions) {
  test(what, async () => {
    const simulation = new Simulation(seed)
    const failure = await simulation.run()
    assert.equal(failure, undefined, `npm run sim -- --seed ${seed}: ${failure}\n${simulation.log.join('\n')}`)
  })
}

/** Outside of the test runner, whose bookkeeping of promises costs more than the worlds. */
const play = (seed: number, worlds: number): Promise<string> =>
  new Promise(resolve => {
    const script = fileURLToPath(new URL('run.ts', import.meta.url))
    const args = ['--import', 'tsx', script, '--seed', `${seed}`, '--count', `${worlds}`]
    execFile(process.execPath, args, (error, stdout, stderr) => {
      resolve(error === null ? '' : `${stdout}${stderr}${stdout === '' ? error.message : ''}`)
    })
  })

test(`in ${count} simulated worlds every byte arrives once and in order, whatever breaks`, async () => {
  const processes = Math.min(4, availableParallelism())
  const share = Math.ceil(count / processes)
  const starts = Array.from({ length: processes }, (_, index) => first + index * share)
  const failures = await Promise.all(starts.map(seed => play(seed, Math.min(share, first + count - seed))))
  assert.equal(failures.join(''), '')
})
