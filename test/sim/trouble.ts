/** What breaks in a simulated world, and when. */
import { principal } from '../support/world.ts'
import type { Ends } from './ends.ts'
import type { Random } from './random.ts'

export const FAULTS_UNTIL_MS = 6_000
/** Carriers in memory have no heartbeat: a black hole is noticed after this long. */
export const HEARTBEAT_DEAD_MS = 40_000

type Trouble = (ends: Ends, random: Random) => void

const oneOf = ({ client, agent }: Ends, random: Random) => (random.chance(0.5) ? client : agent)

const cut: Trouble = (ends, random) => {
  ends.note('cut')
  oneOf(ends, random)?.carriers.cut()
}

const freeze: Trouble = (ends, random) => {
  ends.note('freeze')
  const carriers = oneOf(ends, random)?.carriers
  carriers?.freeze()
  ends.world.clock.after(random.below(random.pick([200, 2_000, 15_000])), () => carriers?.thaw())
}

const blackhole: Trouble = (ends, random) => {
  ends.note('black hole')
  const carriers = oneOf(ends, random)?.carriers
  carriers?.blackhole()
  ends.world.clock.after(HEARTBEAT_DEAD_MS, () => carriers?.cut())
}

const killGateway: Trouble = ends => {
  ends.note('gateway killed')
  ends.world.killGateway()
}

/** The agent dials again while its old carrier lives: the newer one takes its place. */
const registerAgain: Trouble = ends => {
  ends.note('agent registers again')
  void ends.world.dialAgent().then(
    path => ends.endOf(path),
    () => {},
  )
}

/** The client attaches over a second carrier while the first one lives. */
const handOver: Trouble = (ends, random) => {
  ends.note('hand over')
  const attach = async () => {
    const { link, carriers } = await ends.world.dial(principal('connect'))
    ends.world.clock.after(random.below(HEARTBEAT_DEAD_MS), () => carriers.cut())
    await ends.initiator.attach(link)
  }
  attach().catch(() => {})
}

const troubles = [cut, cut, freeze, freeze, blackhole, killGateway, registerAgain, handOver, handOver, handOver]

export function planTrouble(ends: Ends, random: Random): void {
  const count = random.below(13)
  for (let index = 0; index < count; index++) {
    const trouble = random.pick(troubles)
    ends.world.clock.after(random.below(FAULTS_UNTIL_MS), () => trouble(ends, random))
  }
}
