/** Every command line that README.md and help show is typed into a shell, and does what it is shown for. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { wholeProgram } from '../../src/cli/program.ts'
import { helpExamples, helpProfile, readmeExamples } from '../support/examples.ts'
import { asks, beside, ends, localOf, opens, type Play, says, signals, sourced } from '../support/plays.ts'
import type { Process } from '../support/processes.ts'
import { assertReaches, serveName, serveNameByUdp } from '../support/reachable.ts'
import { interrupt, Sandbox } from '../support/sandbox.ts'
import { findProgram, makeCertificate, programAt, realTest, run, startPostgres, startSshd } from '../support/servers.ts'
import { freePort } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const silent = () => new Writable({ write: (_chunk, _encoding, done) => done() })
const program = await wholeProgram({ stdin: Readable.from([]), stdout: silent(), stderr: silent(), env: {} })
const read = (file: string): string => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8')
const examples = [...readmeExamples(read('README.md'), program), ...helpExamples(program)]
const lines = [...new Set(examples.map(line => line.replace(/ {2,}/g, ' ')))]

/** What is shown and cannot be run here, and why. */
const notRun: Readonly<Record<string, string>> = {
  'npm test': 'it is what runs this',
  'npm run demo': 'it would install and build below the tests that run beside it; the demo itself is run',
  'npm run bench': 'it measures for minutes; test/bench.test.ts runs its parts',
  'npm i -g tunnelctl': 'it asks a registry; test/package.test.ts installs the package',
  'kubectl port-forward': 'it needs a cluster, and is not ours',
  'tunnelctl connect pg/db:': 'TAB finishes it; test/e2e/live-completion.test.ts presses TAB',
  'tunnelctl completion powershell | Out-String | Invoke-Expression': 'PowerShell is on few machines',
}

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway(['--ingress-domain', 'apps.example.com'])
const postgres = { programs: ['initdb', 'postgres', 'psql'], packages: 'postgresql' }
const openssh = { programs: ['sshd', 'ssh', 'ssh-keygen'], packages: 'openssh-server openssh-client' }
const has = ({ programs }: { programs: readonly string[] }) => programs.every(each => findProgram(each) !== undefined)

const named = [
  'db/prod:5432',
  'pg-0.pg/db:5432',
  'pod/pg-0/db:5432',
  'deploy/api/prod:8080',
  'db/staging:5432',
  'cache/prod:6379',
  'ssh/prod:22',
  'web/prod:80',
  'web/prod:http',
]
const datagrams = 'dns/kube-system:53/udp'
const answers = new Map([datagrams, ...named].map(name => [name, new RegExp(`(^|\n)${name}\n?$`)]))
const services: Record<string, number> = { [datagrams]: await serveNameByUdp(scope, datagrams) }
for (const target of named) services[target] = await serveName(scope, target)
if (has(postgres)) {
  const port = await freePort()
  services['db/prod:5432'] = port
  answers.set('db/prod:5432', /^N$/)
  await startPostgres(scope, port)
  await run(scope, 'createuser', ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', 'me'])
}
let ssh = ''
if (has(openssh)) {
  const port = await freePort()
  services['ssh/prod:22'] = port
  answers.set('ssh/prod:22', /^SSH-2/)
  const { options, user, host } = await startSshd(scope, port)
  ssh = [programAt('ssh'), ...options, '-o', `HostKeyAlias=${host}`, '-l', user].map(word => `'${word}'`).join(' ')
}
await site.agent(gateway, serviceArgs(services), await site.token({ role: 'agent', agents: ['prod'] }))
const token = await site.tokenText({ role: 'connect', agents: ['prod'], allow: ['*/*:*', 'pod/*/*:*', 'deploy/*/*:*'] })
const context = `{ gateway: "${gateway.url}", token-file: ../../me.token }`
const files = {
  'tunnelctl.yaml': await withFreePorts(helpProfile(program)),
  '.config/tunnelctl/config.yaml': `current: prod\ncontexts: { prod: ${context}, staging: ${context} }\n`,
  'man/man1/tunnelctl.1': read('man/tunnelctl.1'),
  'me.token': token,
  'ada.token': token,
  // Of another name, so that it takes no session from the agent that all others go through.
  'agent.token': await site.tokenText({ role: 'agent', agents: ['spare'], subject: 'spare' }),
  'issuer.key': readFileSync(join(site.folder, 'issuer.key'), 'utf8'),
  'issuer.key.pub': readFileSync(site.publicKeyFile, 'utf8'),
}
const programs = {
  'issue-token': 'cat me.token',
  ...(ssh !== '' && { ssh: `exec ${ssh} "$@"` }),
  // As the real one starts a plugin.
  ...(findProgram('kubectl') === undefined && { kubectl: 'plugin=$1; shift; exec "kubectl-$plugin" "$@"' }),
}
const env = { PGUSER: 'postgres', PGDATABASE: 'postgres', TUNNELCTL_LISTEN: '127.0.0.1:0' }

const tmux = { programs: ['tmux'], packages: 'tmux' }
const openssl = { programs: ['openssl'], packages: 'openssl' }
const curl = { programs: ['curl'], packages: 'curl' }
const kubectl = { programs: ['kubectl'], packages: 'kubernetes-client' }
const man = { programs: ['man'], packages: 'man-db' }
const zsh = { programs: ['zsh'], packages: 'zsh' }
const fish = { programs: ['fish'], packages: 'fish' }
const stop = 'tunnelctl stop db-prod-5432'
const detached = 'tunnelctl connect --detach db/prod:5432'
const loggedIn = 'tunnelctl services -o name | grep -qx db/prod:5432'

interface Rule {
  readonly lines: RegExp
  readonly needs?: { readonly programs: readonly string[]; readonly packages: string }
  readonly play: (play: Play) => Promise<void>
}

/** The first that fits a line says what the line must do. */
const rules: readonly Rule[] = [
  { lines: /^(npx )?tunnelctl demo$/, play: ends({ says: /no byte lost, doubled or changed/ }) },
  {
    lines: /^(npx )?tunnelctl login --gateway \S+$/,
    needs: tmux,
    play: asks(/Token/, [token], /logged in to .*\n[\s\S]*ended with 0/),
  },
  { lines: /\btunnelctl login --gateway \S+ --token-file/, play: ends({ says: /^logged in to /, after: loggedIn }) },
  { lines: /^tunnelctl connect$/, needs: tmux, play: asks(/Which service/, [], /^Forwarding from \S+ -> \S+$/m) },
  { lines: /^tunnelctl connect -o json /, play: opens() },
  { lines: /^tunnelctl connect \S+ -- psql/, needs: postgres, play: ends({ input: 'select 6 * 7', says: /\b42\b/ }) },
  { lines: /^tunnelctl connect --detach/, play: ends({ says: /^detached as db-prod-5432/m, after: stop }) },
  { lines: /^tunnelctl connect --stdio ssh/, needs: openssh, play: ends({ says: /^SSH-2/ }) },
  { lines: /^tunnelctl connect --socks5 \d+$/, play: says(/^Forwarding from \S+ -> socks5$/m) },
  { lines: /\btunnelctl connect -n prod svc\/db:5432$/, play: opens('db/prod:5432') },
  { lines: /^(npx )?tunnelctl connect (--(gateway|token-file|context) \S+ )*[^-]/, play: opens() },
  { lines: /^ssh /, needs: openssh, play: ends({ input: 'echo $((6 * 7)); exit', says: /^42$/m }) },
  {
    lines: /^psql /,
    needs: postgres,
    play: beside(port => `tunnelctl connect ${port}:db/prod:5432`, /\b5432$/, {
      input: 'select 6 * 7',
      says: /\b42\b/,
    }),
  },
  {
    lines: /^curl --proxy/,
    needs: curl,
    play: beside(port => `tunnelctl connect --socks5 ${port}`, /\b1080\b/, { says: /^web\/prod:80$/m }),
  },
  { lines: /^man tunnelctl$/, needs: man, play: ends({ says: /tunnelctl connect/ }) },
  { lines: /^kill -HUP$/, play: signals(/resumed|moved/) },
  { lines: /^tunnelctl gateway --dev$/, play: says(/^tunnelctl connect .*$/m, typeWhatItSays) },
  { lines: /^tunnelctl gateway .*--tls-cert/, needs: openssl, play: says(/"event":"listening".*"wss:/) },
  { lines: /^tunnelctl agent /, play: says(/"event":"registered"/) },
  {
    lines: /^tunnelctl token keygen /,
    play: ends({ before: 'rm issuer.key*', after: 'test -s issuer.key && test -s issuer.key.pub' }),
  },
  {
    lines: /^tunnelctl token create .*--role agent .*> agent\.token$/,
    play: ends({ after: 'tunnelctl token inspect --token-file agent.token' }),
  },
  {
    lines: /^tunnelctl token create .*--role connect .*> ada\.token$/,
    play: ends({ after: 'tunnelctl services --token-file ada.token -o name | grep -x db/prod:5432' }),
  },
  // Without a cluster kubectl can still parse what it would apply, and say what it would create.
  {
    lines: /\| kubectl apply -f -$/,
    needs: kubectl,
    play: async ({ line, box }) => {
      const parsed = await box.run(line.replace('apply -f -', 'label --local -f - -o name parsed=yes'))
      assert.match(parsed, /^deployment\.apps\/tunnelctl-(agent|gateway)$/m)
    },
  },
  {
    lines: /^kubectl -n tunnelctl create secret /,
    needs: kubectl,
    play: async ({ line, box }) =>
      assert.match(await box.run(`${line} --dry-run=client -o name`), /^secret\/tunnelctl-(agent|gateway)$/m),
  },
  { lines: /^tunnelctl manifests /, play: ends({ says: /^kind: Deployment$/m }) },
  { lines: /^tunnelctl token check /, play: ends({ says: /^db\/prod:5432 is allowed by / }) },
  { lines: /^tunnelctl token inspect /, play: ends({ says: /"role": "connect"/ }) },
  { lines: /^tunnelctl services/, play: ends({ says: /\bdb\/prod:5432$|^prod +db /m }) },
  { lines: /^tunnelctl doctor/, play: ends() },
  {
    lines: /^tunnelctl open web/,
    play: ends({ says: /^http:\/\/web--prod--80\.apps\.example\.com:\d+\/\.tunnelctl\/login\?code=/ }),
  },
  { lines: /^tunnelctl up$/, play: opens('db/prod:5432', 'cache/prod:6379') },
  { lines: /^tunnelctl up staging$/, play: opens('db/staging:5432') },
  { lines: /^tunnelctl context list$/, play: ends({ says: /^\* *prod\b/m }) },
  { lines: /^tunnelctl context use staging$/, play: ends({ after: "tunnelctl context list | grep '^\\* *staging'" }) },
  { lines: /^tunnelctl config view/, play: ends({ says: /gateway/ }) },
  { lines: /^tunnelctl ps$/, play: ends({ before: detached, says: /db-prod-5432/, after: stop }) },
  { lines: /^tunnelctl stop /, play: ends({ before: detached, says: /^db-prod-5432 has ended$/m }) },
  { lines: /^tunnelctl logs /, play: ends({ before: detached, says: /^Forwarding from/m, after: stop }) },
  {
    lines: /^source <\(tunnelctl completion bash\)$/,
    play: sourced('', 'complete -p tunnelctl', /_tunnelctl/, ['bash', '-c']),
  },
  {
    lines: /^source <\(tunnelctl completion zsh\)$/,
    needs: zsh,
    play: sourced('autoload -Uz compinit; compinit -u -D', 'print $_comps[tunnelctl]', /_tunnelctl/, ['zsh', '-fc']),
  },
  {
    lines: /^tunnelctl completion fish \| source$/,
    needs: fish,
    play: sourced('', 'complete -c tunnelctl', /keygen/, ['fish', '--no-config', '-c']),
  },
  { lines: /^tunnelctl\(\) \{/, play: sourced('', 'tunnelctl ps', /nothing runs detached/, ['bash', '-c']) },
]

/** What `gateway --dev` says is typed too. */
async function typeWhatItSays(job: Process, { box }: Play): Promise<void> {
  const [agent = '', connect = ''] = job.stdout.match(/^tunnelctl .*$/gm) ?? []
  const registered = box.start(agent.replace('127.0.0.1:8000', `127.0.0.1:${services['web/prod:80']}`))
  await registered.event('registered')
  const connected = box.start(connect)
  await assertReaches(await localOf(connected, 'web/dev:80'), 'web/dev:80', /web\/prod:80/)
  await interrupt(connected)
  await interrupt(registered)
}

/** The line with this world in place of what its reader must put in. */
async function filledIn(line: string, box: Sandbox): Promise<string> {
  const certificate = line.includes('--tls-cert') ? await makeCertificate(scope, box.folder) : undefined
  return await withFreePorts(
    line
      .replaceAll('wss://gateway.example.com', gateway.url)
      .replace(/^tunnelctl agent \.\.\./, `tunnelctl agent --gateway ${gateway.url} --token-file agent.token`)
      .replace('…', 'db/prod:5432')
      .replace(/ NAME$/, ' db-prod-5432')
      .replace(/ F$/, ' me.token')
      .replace('/tmp/', `${box.folder}/`)
      .replace('0.0.0.0:443', '127.0.0.1:0')
      .replace('tls.crt', certificate?.cert ?? '')
      .replace('tls.key', certificate?.key ?? ''),
  )
}

/** A local port that is asked for must be free; one that is not gives way by itself. */
async function withFreePorts(text: string): Promise<string> {
  const asked = /(?<= |0\.0\.0\.0:)\d+(?=:[a-z]+\/)|(?<=^tunnelctl connect --socks5 )\d+/g
  const ports = new Map<string, number>()
  for (const [port] of text.matchAll(asked)) ports.set(port, await freePort())
  return text.replace(asked, port => String(ports.get(port)))
}

test('every rule, and every exception, is for an example that is still shown', () => {
  assert.ok(lines.length > 50, `${lines.length} examples were found`)
  const run = lines.filter(line => !(line in notRun))
  assert.equal(lines.length - run.length, Object.keys(notRun).length, `of ${Object.keys(notRun).join(', ')}`)
  const used = new Set(run.map(line => rules.find(each => each.lines.test(line))))
  assert.deepEqual(
    rules.filter(rule => !used.has(rule)),
    [],
  )
})

for (const line of lines) {
  if (line in notRun) continue
  const rule = rules.find(({ lines }) => lines.test(line))
  if (rule === undefined) {
    test(line, () => assert.fail('no rule says what this example must do: add one, so that it is run'))
    continue
  }
  realTest(line, rule.needs ?? { programs: [], packages: '' }, async t => {
    const box = new Sandbox(t, files, programs, env)
    await rule.play({ line: await filledIn(line, box), box, t, answers })
  })
}
