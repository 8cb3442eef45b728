/** What is measured on loopback: all contenders run at once, and take turns. */
import type { Check } from './checks.ts'
import type { Comparison } from './comparison.ts'
import { tunnelctlProgram } from './contenders/tunnelctl.ts'
import { check, type Entrant, enter, leave } from './entrant.ts'
import { idleFigure, measureIdle } from './measures/idle.ts'
import { paceOf } from './measures/measure.ts'
import { fairnessMeasures } from './measures/measures.ts'
import { measureResume, resumeFigure } from './measures/resume.ts'
import { measureStart, startFigures } from './measures/start.ts'
import { ofEach, type Part, partOf, type Stage } from './part.ts'
import type { PartName, Plan } from './plan.ts'
import { isOurs, resultsOf } from './result.ts'
import { type Measured, measureRounds } from './rounds.ts'

const onLoopback: readonly PartName[] = ['standard', 'resume', 'start', 'fairness', 'idle']

export async function compareOnLoopback(stage: Stage): Promise<Comparison> {
  const { plan, services, bench } = stage
  const { say } = plan
  const entrants: Entrant[] = []
  const checks: Check[] = []
  const parts: Part[] = []
  if (!onLoopback.some(name => plan.parts.has(name))) return { checks, parts, failed: false }
  try {
    for (const contender of plan.contenders) {
      const entrant = await enter(contender, services)
      entrants.push(entrant)
      checks.push(...(await check(entrant, services, bench.load, plan.verifyBytes)))
    }
    if (plan.parts.has('standard')) {
      const rounds = { rounds: plan.rounds, warmUp: true, say }
      parts.push(...standardParts(await measureRounds(plan.measures, entrants, services, bench, rounds)))
    }
    if (plan.parts.has('fairness')) {
      const rounds = { rounds: plan.longRounds, warmUp: false, say }
      const measured = await measureRounds(fairnessMeasures, entrants, services, bench, rounds)
      parts.push(partOf({ id: 'fairness', label: 'fairness, loopback' }, measured))
    }
    if (plan.parts.has('idle') && plan.idle > 0) {
      const connections = Math.ceil(plan.idle / 2)
      const label = `processor time with ${connections} idle connections`
      const outcomes = await ofEach(entrants, plan, 'idle', async ({ running }) =>
        running ? measureIdle(running, bench.load, connections, paceOf(bench)) : [],
      )
      parts.push({ id: 'idle', label, results: resultsOf('idle', [idleFigure], outcomes) })
    }
    if (plan.parts.has('start')) parts.push(await measureStarts(entrants, plan))
    if (plan.parts.has('resume') && plan.restarts > 0) parts.push(await measureResumes(entrants, stage))
    return { checks, parts, failed: entrants.some(({ failed }) => failed !== undefined) }
  } finally {
    await leave(entrants)
  }
}

/** The measures, and what they cost. */
function standardParts(measured: readonly Measured[]): Part[] {
  const costs = measured.flatMap(({ measure: { cost }, costs }) =>
    cost ? resultsOf('standard-cpu', [cost], costs) : [],
  )
  return [
    partOf({ id: 'standard', label: 'throughput and latency, loopback' }, measured),
    {
      id: 'standard-cpu',
      label: 'processor time, user and system, seconds per GB and per 1,000 requests',
      results: costs,
    },
  ]
}

async function measureStarts(entrants: readonly Entrant[], plan: Plan): Promise<Part> {
  const ours = entrants.filter(({ contender }) => isOurs(contender.name))
  const times = plan.seconds < 1 ? 1 : 15
  const outcomes = await ofEach(ours, plan, 'start', async ({ running }) =>
    running ? measureStart(tunnelctlProgram() ?? '', running, times) : [],
  )
  return { id: 'start', label: 'start', results: resultsOf('start', startFigures, outcomes) }
}

async function measureResumes(entrants: readonly Entrant[], { plan, bench }: Stage): Promise<Part> {
  const able = entrants.map(entrant =>
    entrant.running && !entrant.running.restart ? { ...entrant, skipped: 'unable' } : entrant,
  )
  const outcomes = await ofEach(able, plan, 'resume', async ({ running }) =>
    running?.restart ? measureResume(running, running.restart, bench.load, plan.restarts) : [],
  )
  return { id: 'resume', label: 'resume', results: resultsOf('resume', [resumeFigure], outcomes) }
}
