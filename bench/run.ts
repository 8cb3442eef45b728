/** `npm run bench`: the arguments, the run, the output. */
import { parseArgs } from 'node:util'
import { chosen, number } from './arguments.ts'
import { compare } from './comparison.ts'
import { allContenders, contenders } from './contenders/contenders.ts'
import { measures, moreMeasures } from './measures/measures.ts'
import { type PartName, type Plan, partNames, usualParts } from './plan.ts'
import { runScript, say } from './script.ts'
import { findTools } from './tools.ts'

const help = `Measures tunnelctl beside a direct connection, a raw Node pipe chain and a HAProxy TCP chain, on loopback.

npm run bench -- [options]
  --peers          all contenders: other tunnels too, and those with TLS, as far as they are installed
  --peers-path DIR where to look for programs before PATH, ~/.cargo/bin and ~/go/bin
  --only NAME,…    only these contenders, of all there are
  --rounds N       rounds, every contender in each (default 3)
  --seconds S      time of a measure; latencies take half of it (default 1)
  --parts NAME,…   only these: ${partNames.join(', ')}
                   (default ${usualParts.join(', ')}; with --full all)
  --long-rounds N  rounds of what takes long: fairness, links (default 1)
  --restarts N     kills of the gateway for the resume gap; 0 leaves it out (default 9, with --full 27)
  --idle N         idle connections for the memory; 0 leaves it out (default 2000, with --peers 500)
  --clients N      clients of the scale measure (default 2000)
  --full           all parts, also bulk over 8 streams, and more restarts
  --own-load       only what the bench measures by itself: no iperf3, wrk, nginx, haproxy
  --verify         also transfer 64 MiB of random bytes each way and compare their sha256
  --json FILE      write the results as JSON; - is stdout, the table then goes to stderr
  --help
Exit code: 0, 1 when something failed (not when a tool is missing), 2 usage, 130 interrupted.
`

process.exit(
  await runScript({
    name: 'bench',
    help,
    parse,
    compare,
    setting: ({ longRounds, verifyBytes }) => ({ longRounds, verifyBytes }),
  }),
)

/** @throws Error what is wrong with the arguments */
function parse(): { readonly help: true } | { readonly help: false; readonly plan: Plan; readonly json?: string } {
  const { values } = parseArgs({
    options: {
      peers: { type: 'boolean', default: false },
      'peers-path': { type: 'string' },
      only: { type: 'string', multiple: true },
      parts: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '3' },
      'long-rounds': { type: 'string', default: '1' },
      seconds: { type: 'string', default: '1' },
      restarts: { type: 'string' },
      idle: { type: 'string' },
      clients: { type: 'string', default: '2000' },
      full: { type: 'boolean', default: false },
      'own-load': { type: 'boolean', default: false },
      verify: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return { help: true }
  const tools = values['own-load'] ? {} : findTools(values['peers-path'])
  const plan: Plan = {
    contenders: chosen(
      (values.only || values.peers ? allContenders : contenders).map(make => make(tools)),
      values.only,
    ),
    parts: chooseParts(values.parts, values.full),
    measures: values.full ? [...measures, ...moreMeasures] : measures,
    tools,
    rounds: number('--rounds', values.rounds, 1, true),
    longRounds: number('--long-rounds', values['long-rounds'], 1, true),
    seconds: number('--seconds', values.seconds, 0.01, false),
    restarts: number('--restarts', values.restarts ?? (values.full ? '27' : '9'), 0, true),
    idle: number('--idle', values.idle ?? (values.peers ? '500' : '2000'), 0, true),
    clients: number('--clients', values.clients, 1, true),
    verifyBytes: values.verify ? 64 * 2 ** 20 : 0,
    say,
  }
  return { help: false, plan, ...(values.json === undefined ? {} : { json: values.json }) }
}

function chooseParts(lists: readonly string[] | undefined, full: boolean): ReadonlySet<PartName> {
  if (!lists) return new Set(full ? partNames : usualParts)
  return new Set(
    lists.flatMap(list =>
      list.split(',').map(name => {
        const part = partNames.find(each => each === name)
        if (part === undefined) throw new Error(`--parts: there is no part ${JSON.stringify(name)}`)
        return part
      }),
    ),
  )
}
