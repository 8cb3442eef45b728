import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Simulation } from './simulation.ts'

/** `SEED=17 COUNT=1 node --import tsx --test test/sim/sim.test.ts` runs one world again. */
const first = Number(process.env.SEED ?? 1)
const count = Number(process.env.COUNT ?? 300)

/** Worlds that found a bug once. */
const regressions = new Map([
  [100_314, 'an ATTACH that was overtaken by an acknowledgement on the older route resumes'],
  [100_676, 'a refusal that is older than the creation of the session does not end it'],
])

test(`in ${count} simulated worlds every byte arrives once and in order, whatever breaks`, async () => {
  for (let seed = first; seed < first + count; seed++) await play(seed)
})

for (const [seed, what] of regressions) test(what, () => play(seed))

async function play(seed: number): Promise<void> {
  const simulation = new Simulation(seed)
  const failure = await simulation.run()
  assert.equal(failure, undefined, `SEED=${seed}: ${failure}\n${simulation.log.join('\n')}`)
}
