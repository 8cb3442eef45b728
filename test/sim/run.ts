/** `npm run sim`: plays worlds from seeds. A failing one prints its seed, what went wrong, and what was done to it. */
import { parseArgs } from 'node:util'
import { Simulation } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    verbose: { type: 'boolean', default: false },
  },
})
const first = Number(values.seed)
let failed = 0

for (let seed = first; seed < first + Number(values.count); seed++) {
  const simulation = new Simulation(seed)
  const failure = await simulation.run()
  if (failure !== undefined) failed++
  if (failure === undefined && !values.verbose) continue
  const lines = [`npm run sim -- --seed ${seed} --verbose: ${failure ?? 'all is well'}`, ...simulation.log]
  process.stdout.write(`${lines.join('\n  ')}\n`)
}
process.exitCode = failed === 0 ? 0 : 1
