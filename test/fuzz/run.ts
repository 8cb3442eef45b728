/** `npm run fuzz`: mutated conversations against the real processes, for some time. What it finds it prints, with its seed. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { AgentLane } from './agent-lane.ts'
import { ConnectLane } from './connect-lane.ts'
import { Finding, type Lane, type Sent } from './finding.ts'
import { GatewayLane } from './gateway-lane.ts'
import { record } from './record.ts'
import { loadRecording, saveRecording } from './recording.ts'

const targets = ['gateway-client', 'gateway-agent', 'ingress', 'agent', 'connect'] as const
/** Of the time, before a process is as large as it needs to be. */
const WARM_SHARE = 0.3
const SAMPLE_MS = 500
/** What a process says of a round may come when the next ones are played already, and some are played at the same time. */
const KEPT_ROUNDS = 8

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(randomInt(1, 2 ** 31)) },
    only: { type: 'string' },
    round: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
})
const { seed, only } = values
const seconds = Number(values.seconds)
if (!(seconds > 0) || (only !== undefined && !targets.some(target => target === only))) {
  say(`--seconds is a number, and --only one of ${targets.join(', ')}`)
  process.exit(2)
}

const tasks: (() => void | Promise<void>)[] = []
const scope = { after: (task: () => void | Promise<void>) => void tasks.push(task) }
process.exitCode = await run()
for (const task of tasks.reverse()) {
  try {
    await task()
  } catch (thrown) {
    // Among others, that a process has said a secret.
    say(`FINDING at the end: ${String(thrown)}`)
    process.exitCode = 1
  }
}
process.exit()

async function run(): Promise<number> {
  if (values.record) {
    saveRecording(await record(scope))
    return 0
  }
  say(`npm run fuzz -- --seed ${seed}${only === undefined ? '' : ` --only ${only}`}`)
  const recording = loadRecording()
  const wanted = (...names: string[]) => only === undefined || names.includes(only)
  const lanes: Lane[] = []
  if (wanted('gateway-client', 'gateway-agent', 'ingress')) lanes.push(await GatewayLane.start(scope, recording))
  if (wanted('agent')) lanes.push(await AgentLane.open(scope, recording))
  if (wanted('connect')) lanes.push(await ConnectLane.open(scope, recording))
  const startedAt = performance.now()
  const over = new AbortController()
  const found = (await Promise.all(lanes.map(lane => playLane(lane, startedAt, over)))).includes(true)
  return found ? 1 : 0
}

interface Played {
  readonly name: string
  readonly sent: Sent
}

/** @returns whether something was found; then the others end too */
async function playLane(lane: Lane, startedAt: number, over: AbortController): Promise<boolean> {
  const elapsed = () => (performance.now() - startedAt) / 1000
  const sampling = setInterval(() => lane.sample(elapsed() > WARM_SHARE * seconds), SAMPLE_MS)
  const single = values.round === undefined ? undefined : Number(values.round)
  const next = new Map<string, number>()
  const recent: Played[] = []
  let messages = 0
  const playTrack = async (target: string): Promise<void> => {
    while (elapsed() < seconds && !over.signal.aborted) {
      const round = single ?? next.get(target) ?? 0
      next.set(target, round + 1)
      const sent: Sent = new Map()
      recent.push({ name: `--seed ${seed} --only ${target} --round ${round}`, sent })
      if (recent.length > KEPT_ROUNDS) recent.shift()
      messages += (await lane.round(target, `${seed} ${target} ${round}`, sent)).messages
      if (single !== undefined) return
    }
  }
  try {
    await lane.rehearse()
    const tracks = lane.tracks.filter(target => only === undefined || target === only)
    await Promise.all((single === undefined ? tracks : tracks.slice(0, 1)).map(playTrack))
    recent.length = 0
    if (over.signal.aborted) return false
    await lane.settle()
    const played = [...next].map(([target, count]) => `${count} rounds of ${target}`).join(', ')
    say(`${played} in ${Math.round(elapsed())} s, ${messages} messages came back; ${lane.describe()}`)
    return false
  } catch (thrown) {
    over.abort()
    say(`FINDING: ${thrown instanceof Finding ? thrown.message : String((thrown as Error).stack)}`)
    for (const played of recent.reverse()) tell(played)
    return true
  } finally {
    clearInterval(sampling)
  }
}

function tell({ name, sent }: Played): void {
  say(`npm run fuzz -- ${name}`)
  for (const [connection, pieces] of sent) {
    say(`  ${connection}: ${pieces.map(piece => piece.toString('hex')).join(' ')}`)
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
