/** The comparison, part by part. */
import { compareOverLinks, measureEachMemory, measureScales } from './apart.ts'
import type { Check } from './checks.ts'
import { Load } from './load.ts'
import { compareOnLoopback } from './loopback.ts'
import type { Part, Stage } from './part.ts'
import { type Plan, partNames } from './plan.ts'
import { type Services, startServices } from './services.ts'

export interface Comparison {
  readonly checks: readonly Check[]
  readonly parts: readonly Part[]
  /** True when a contender that should run did not, or a measure or a check failed. */
  readonly failed: boolean
}

export async function compare(plan: Plan): Promise<Comparison> {
  const [load, other] = [new Load(), new Load()]
  let services: Services | undefined
  try {
    plan.say('starting')
    const { tools, seconds, parts: wanted, verifyBytes } = plan
    services = await startServices(tools, verifyBytes, wanted.has('fairness') || wanted.has('wan'))
    const stage: Stage = { plan, services, bench: { load, other, tools, seconds, services: services.ports } }
    const loopback = await compareOnLoopback(stage)
    const parts = [
      ...loopback.parts,
      ...(await measureEachMemory(stage)),
      ...(await compareOverLinks(stage)),
      ...(await measureScales(stage)),
    ]
    const order = (part: Part) => partNames.findIndex(name => part.id.startsWith(name))
    parts.sort((a, b) => order(a) - order(b))
    const failed = loopback.failed || parts.some(part => part.results.some(result => result.failed !== undefined))
    return { checks: loopback.checks, parts: parts.filter(part => part.results.length > 0), failed }
  } finally {
    await Promise.all([load.stop(), other.stop()])
    await services?.stop()
  }
}
