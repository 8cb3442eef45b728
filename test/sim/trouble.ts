/** What breaks in a simulated world, and when. */
import type { MemoryLink } from '../../src/carrier/memory.ts'
import type { SimAgent, SimClient } from './ends.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'

export const FAULTS_UNTIL_MS = 6_000
/** Carriers in memory have no heartbeat: the gateway notices a black hole after this long. */
export const HEARTBEAT_DEAD_MS = 40_000

export interface Scene {
  readonly clients: readonly SimClient[]
  /** Those that run; the newest last. */
  readonly agents: readonly SimAgent[]
  readonly network: Network
  readonly after: (ms: number, task: () => void) => void
  readonly note: (what: string) => void
  /** Another process of the agent's name. */
  readonly startAgent: () => void
}

type Trouble = (scene: Scene, random: Random) => void

const anyEnd = ({ clients, agents }: Scene, random: Random) => random.pick([...clients, ...agents, ...agents.slice(-1)])

const broken =
  (what: string, breakIt: (carriers: MemoryLink, scene: Scene, random: Random) => void): Trouble =>
  (scene, random) => {
    const end = anyEnd(scene, random)
    scene.note(`${what} of ${end.name}`)
    if (end.carriers !== undefined) breakIt(end.carriers, scene, random)
  }

const cut = broken('cut', carriers => carriers.cut())

const freeze = broken('freeze', (carriers, { after }, random) => {
  carriers.freeze()
  after(random.below(random.pick([200, 2_000, 15_000])), () => carriers.thaw())
})

const blackhole = broken('black hole', (carriers, { after }, random) => {
  const half = random.below(3)
  if (half === 0) carriers.a.swallow()
  else if (half === 1) carriers.b.swallow()
  else carriers.blackhole()
  after(HEARTBEAT_DEAD_MS, () => carriers.cut())
})

function swallow({ carriers }: SimAgent | SimClient, { after }: Scene): void {
  carriers?.blackhole()
  after(HEARTBEAT_DEAD_MS, () => carriers?.cut())
}

const sleep: Trouble = (scene, random) => {
  const end = anyEnd(scene, random)
  scene.note(`sleep of ${end.name}`)
  end.sleep(5_001 + random.below(3_600_000))
  if (random.chance(0.5)) swallow(end, scene)
}

const killGateway: Trouble = ({ network, note }, random) => {
  note('gateway killed')
  network.kill(random.pick([0, 0, 300, 2_000]))
}

const drainGateway: Trouble = ({ network, note }) => {
  note('gateway drains')
  network.drain()
}

const move: Trouble = ({ clients, note }, random) => {
  note('asked to move')
  random.pick(clients).move(random.pick(['asked', 'schedule']))
}

/** These lose sessions, and every stream of theirs is told so. */
const killAgent: Trouble = ({ agents, note, startAgent, after }, random) => {
  note('agent killed')
  agents.at(-1)?.kill()
  after(random.below(1_000), startAgent)
}

const drainAgent: Trouble = ({ agents, note, startAgent, after }, random) => {
  note('agent drains')
  agents.at(-1)?.stop()
  after(random.below(1_000), startAgent)
}

const rival: Trouble = ({ note, startAgent }) => {
  note('another agent of the name')
  startAgent()
}

const harmless = [cut, cut, freeze, freeze, blackhole, sleep, killGateway, killGateway, drainGateway, move, move]
const harmful = [killAgent, drainAgent, rival]

/** @param lossy with agents that end, and others of their name */
export function planTrouble(scene: Scene, random: Random, lossy: boolean): void {
  const count = random.below(13)
  for (let index = 0; index < count; index++) {
    const trouble = random.pick(lossy ? [...harmless, ...harmful] : harmless)
    scene.after(random.below(FAULTS_UNTIL_MS), () => trouble(scene, random))
  }
  if (lossy) scene.after(random.below(FAULTS_UNTIL_MS), () => random.pick(harmful)(scene, random))
}
