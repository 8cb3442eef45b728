/** What is measured of each contender for itself, started for this alone: memory, links, many clients. */
import type { Contender } from './contenders/contender.ts'
import { tunnelctlProgram } from './contenders/tunnelctl.ts'
import { type Entrant, enter, leave } from './entrant.ts'
import { paceOf } from './measures/measure.ts'
import { linkMeasures } from './measures/measures.ts'
import { measureMemory, memoryFigures } from './measures/memory.ts'
import { measureScale, scaleFigures, scaleLabel } from './measures/scale.ts'
import { ofEach, type Part, partOf, type Stage } from './part.ts'
import { isOurs, type Outcome, resultsOf } from './result.ts'
import { type Measured, measureRounds } from './rounds.ts'

export async function measureEachMemory({ plan, services, bench }: Stage): Promise<Part[]> {
  if (!plan.parts.has('memory') || plan.idle === 0) return []
  const outcomes = await ofEach(plan.contenders.map(alone), plan, 'memory', ({ contender }) =>
    measureMemory(contender, services.ports, bench.load, plan.idle, plan.seconds * 200),
  )
  const label = `memory with ${plan.idle} idle connections`
  return [{ id: 'memory', label, results: resultsOf('memory', memoryFigures, outcomes) }]
}

export async function compareOverLinks({ plan, services, bench }: Stage): Promise<Part[]> {
  if (!plan.parts.has('wan')) return []
  const parts: Part[] = []
  const rounds = { rounds: plan.longRounds, warmUp: false }
  for (const { profile, measures } of linkMeasures) {
    const { name } = profile
    const measured: Measured[] = measures.map(measure => ({ measure, outcomes: [], costs: [] }))
    for (const contender of plan.contenders) {
      const say = (text: string) => plan.say(`${name}: ${text}`)
      const entrant = await enter(contender, services, profile)
      try {
        const its = await measureRounds(measures, [entrant], services, bench, { ...rounds, say })
        for (const [index, { measure, outcomes }] of measured.entries()) {
          measured[index] = { measure, outcomes: [...outcomes, ...(its[index]?.outcomes ?? [])], costs: [] }
        }
      } finally {
        await leave([entrant])
      }
    }
    parts.push(partOf(`wan ${name}`, `over a link of ${name}`, measured, profile))
  }
  return parts
}

export async function measureScales({ plan }: Stage): Promise<Part[]> {
  if (!plan.parts.has('scale')) return []
  const ours = plan.contenders.filter(({ name, security }) => isOurs(name) && security === 'plain').map(alone)
  const costs: Outcome[] = []
  const outcomes = await ofEach(ours, plan, 'scale', async ({ contender }) => {
    const seconds = 10 * paceOf(plan)
    const taken = await measureScale(tunnelctlProgram() ?? '', plan.clients, seconds)
    costs.push({ contender, readings: taken.costs })
    return taken.readings
  })
  const label = scaleLabel(plan.clients)
  return [
    { id: 'scale', label, results: resultsOf('scale', scaleFigures, outcomes) },
    { id: 'scale-cpu', label: `processor time of ${label}`, results: resultsOf('scale-cpu', [], costs) },
  ]
}

/** A contender that its measure starts by itself. */
function alone({ missing, ...contender }: Contender): Entrant {
  return { contender, ...(missing !== undefined && { skipped: missing }) }
}
