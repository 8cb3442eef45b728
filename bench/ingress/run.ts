/** `npm run bench:ingress`: the arguments, the run, the output. */
import { parseArgs } from 'node:util'
import { chosen, number } from '../arguments.ts'
import { runScript, say } from '../script.ts'
import { findTools } from '../tools.ts'
import { compareIngress, type Plan } from './comparison.ts'
import { contenders } from './contenders.ts'

const help = `Measures the ingress of tunnelctl beside a direct connection and chains of HAProxy and of nginx, on loopback.

npm run bench:ingress -- [options]
  --quick          three rounds of a second, less than three minutes (the default)
  --full           five rounds of two seconds
  --only NAME,…    only these contenders
  --rounds N       rounds, every contender in each
  --seconds S      time of a measure; most latencies take half of it
  --idle N         idle WebSockets for the memory; 0 leaves it out (default 1000)
  --body MIB       length of the bodies that go down and up (default 256)
  --own-load       only what the bench measures by itself: no wrk, nginx, haproxy
  --verify         also compare the sha256 of a body each way
  --json FILE      write the results as JSON; - is stdout, the table then goes to stderr
  --help
Exit code: 0, 1 when something failed (not when a tool is missing), 2 usage, 130 interrupted.
`

process.exit(
  await runScript({
    name: 'bench:ingress',
    help,
    parse,
    compare: compareIngress,
    setting: ({ verify, bodyBytes }) => ({ longRounds: 1, verifyBytes: verify ? bodyBytes : 0 }),
  }),
)

/** @throws Error what is wrong with the arguments */
function parse(): { readonly help: true } | { readonly help: false; readonly plan: Plan; readonly json?: string } {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      idle: { type: 'string', default: '1000' },
      body: { type: 'string', default: '256' },
      'own-load': { type: 'boolean', default: false },
      verify: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return { help: true }
  if (values.quick && values.full) throw new Error('--quick and --full: only one of them')
  const tools = values['own-load'] ? {} : findTools()
  const [rounds, seconds] = values.full ? ['5', '2'] : ['3', '1']
  const plan: Plan = {
    contenders: chosen(
      contenders.map(make => make(tools)),
      values.only,
    ),
    tools,
    rounds: number('--rounds', values.rounds ?? rounds, 1, true),
    seconds: number('--seconds', values.seconds ?? seconds, 0.01, false),
    idle: number('--idle', values.idle, 0, true),
    bodyBytes: number('--body', values.body, 1, true) * 2 ** 20,
    verify: values.verify,
    say,
  }
  return { help: false, plan, ...(values.json === undefined ? {} : { json: values.json }) }
}
