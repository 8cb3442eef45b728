/** What is measured of each contender for itself, started for this alone: memory, links, many clients. */
import type { Contender } from './contenders/contender.ts'
import { tunnelctlProgram } from './contenders/tunnelctl.ts'
import { type Entrant, enter, leave } from './entrant.ts'
import { queueBytes } from './link/shaper.ts'
import { Load } from './load.ts'
import { paceOf } from './measures/measure.ts'
import { type LinkMeasures, linkMeasures } from './measures/measures.ts'
import { heldEchoes, measureMemory, memoryFigures } from './measures/memory.ts'
import { measureScale, scaleFigures, scaleLabel } from './measures/scale.ts'
import { ofEach, type Part, partOf, type Stage } from './part.ts'
import { isOurs, type Outcome, resultsOf } from './result.ts'
import { type Measured, measureRounds } from './rounds.ts'

export async function measureEachMemory({ plan, services, bench }: Stage): Promise<Part[]> {
  if (!plan.parts.has('memory') || plan.idle === 0) return []
  const outcomes = await ofEach(plan.contenders.map(alone), plan, 'memory', ({ contender }) =>
    measureMemory(contender, services.ports, heldEchoes(bench.load), plan.idle, plan.seconds * 200),
  )
  const label = `memory with ${plan.idle} idle connections`
  return [{ id: 'memory', label, results: resultsOf('memory', memoryFigures, outcomes) }]
}

export async function compareOverLinks(stage: Stage): Promise<Part[]> {
  const { plan } = stage
  if (!plan.parts.has('wan')) return []
  const parts: Part[] = []
  for (const link of linkMeasures) {
    const { profile, measures, atOnce } = link
    const measured: Measured[] = measures.map(measure => ({ measure, outcomes: [], costs: [] }))
    for (let from = 0; from < plan.contenders.length; from += atOnce) {
      for (const its of await compareOverLink(stage, link, plan.contenders.slice(from, from + atOnce))) {
        for (const [index, { measure, outcomes }] of measured.entries()) {
          measured[index] = { measure, outcomes: [...outcomes, ...(its[index]?.outcomes ?? [])], costs: [] }
        }
      }
    }
    const { name } = profile
    parts.push(
      partOf({ id: `wan ${name}`, label: `over a link of ${name}`, note: noteOf(link), link: profile }, measured),
    )
  }
  return parts
}

/** All at the same time: each has a link, and a load, of its own. None is measured before all have started. */
async function compareOverLink(
  { plan, services, bench }: Stage,
  { profile, measures }: LinkMeasures,
  contenders: readonly Contender[],
): Promise<Measured[][]> {
  const say = (text: string) => plan.say(`${profile.name}: ${text}`)
  const rounds = { rounds: plan.longRounds, warmUp: false, say }
  const entrants = await Promise.all(contenders.map(contender => enter(contender, services, profile)))
  const loads = entrants.map(() => ({ load: new Load(), other: new Load() }))
  try {
    return await Promise.all(
      entrants.map((entrant, index) =>
        measureRounds(measures, [entrant], services, { ...bench, ...loads[index] }, rounds),
      ),
    )
  } finally {
    await leave(entrants)
    await Promise.all(loads.flatMap(({ load, other }) => [load.stop(), other.stop()]))
  }
}

function noteOf({ profile, atOnce }: LinkMeasures): string {
  const queue = Math.round(queueBytes(profile.bitsPerSecond) / 1024)
  const turns =
    atOnce === 1 ? 'one contender at a time' : `up to ${atOnce} contenders at a time, each over its own link`
  return `${turns}; the link queues ${queue} KiB, and beside that stand the kernel's socket buffers at its ends, which no router has and Node cannot bound: what shares a connection with bulk waits for them too`
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
