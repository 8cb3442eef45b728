/**
 * A cluster in miniature: the developer, the gateway and the cluster are hosts of their own. The developer reaches the gateway alone; in
 * the cluster are PostgreSQL, nginx and a DNS server behind service addresses, with the records that cluster DNS has.
 */
import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Host, mayMakeNetworks } from '../support/networks.ts'
import { makeFolder, type Process, removeFolder } from '../support/processes.ts'
import { findProgram, run } from '../support/servers.ts'
import { Site } from '../support/tunnel.ts'

const programs = ['dnsmasq', 'dig', 'postgres', 'initdb', 'psql', 'nginx', 'curl', 'setpriv']
const missing = [
  ...(mayMakeNetworks() ? [] : ['root on Linux']),
  ...programs.filter(each => findProgram(each) === undefined),
]
const skip = missing.length > 0 && process.env.TEST_REQUIRE_REAL !== '1' ? `needs ${missing.join(', ')}` : false
const scope = { after }
const binary = fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))
const GATEWAY = '10.90.1.1'
const DNS = '10.96.0.10'
const [DB, WEB, SLEEPY, READY, OUTSIDE] = ['10.96.0.20', '10.96.0.30', '10.96.1.1', '10.96.1.2', '203.0.113.9']
const ports = { dev: 10_000 }

/** As a pod's: the search list of its namespace, and five dots before a name is taken as it stands. */
const podResolv = `nameserver ${DNS}\nsearch tunnelctl.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`

const records = [
  `host-record=db.prod.svc.cluster.local,${DB}`,
  `host-record=web.prod.svc.cluster.local,${WEB},fd00:96::30`,
  'srv-host=_http._tcp.web.prod.svc.cluster.local,web.prod.svc.cluster.local,80',
  `host-record=dns.kube-system.svc.cluster.local,${DNS}`,
  // Headless: the pods themselves, of which one is not up.
  `host-record=pods.prod.svc.cluster.local,${SLEEPY}`,
  `host-record=pods.prod.svc.cluster.local,${READY}`,
  `host-record=pods-1.pods.prod.svc.cluster.local,${READY}`,
  // ExternalName: it leads out of the cluster.
  'cname=outside.prod.svc.cluster.local,outside.example',
  `host-record=outside.example,${OUTSIDE}`,
]

async function ready(running: Process, said: RegExp): Promise<void> {
  await running.until(String(said), () => said.exec(running.stdout + running.stderr) ?? undefined)
}

async function startServices(cluster: Host): Promise<void> {
  const folder = makeFolder()
  after(() => removeFolder(folder))
  chmodSync(folder, 0o755)
  const config = [
    'no-daemon',
    'no-resolv',
    'no-hosts',
    `listen-address=${DNS}`,
    'bind-interfaces',
    'local=/cluster.local/',
    ...records,
  ]
  writeFileSync(join(folder, 'dnsmasq.conf'), config.join('\n'))
  const dnsmasq = cluster.start('dnsmasq', ['-k', '--log-facility=-', '-u', 'root', '-C', join(folder, 'dnsmasq.conf')])
  await ready(dnsmasq, /started, version/)

  const data = join(folder, 'data')
  mkdirSync(data)
  const { stdout } = await run(scope, 'id', ['-u', 'postgres'])
  chownSync(data, Number(stdout), Number(stdout))
  const init = ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-locale', '--no-sync', '-N']
  const made = cluster.start('initdb', init, { user: 'postgres' })
  assert.equal((await made.finished(60_000)).code, 0, made.describe())
  const settings = [`listen_addresses=${DB}`, `unix_socket_directories=${data}`, 'fsync=off', 'shared_buffers=32MB']
  const args = ['-D', data, '-p', '5432', ...settings.flatMap(each => ['-c', each])]
  writeFileSync(join(data, 'pg_hba.conf'), 'host all all 0.0.0.0/0 trust\n')
  await ready(cluster.start('postgres', args, { user: 'postgres' }), /ready to accept connections/)

  mkdirSync(join(folder, 'www'))
  writeFileSync(join(folder, 'www/index.html'), 'from the cluster\n')
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/temp;`)
  const listens = [`listen ${WEB}:80;`, `listen ${READY}:8080;`, 'listen [fd00:96::30]:80;'].join(' ')
  const nginx = ['user root;', 'daemon off;', `pid ${folder}/pid;`, 'error_log stderr notice;', 'events {}']
  writeFileSync(
    join(folder, 'nginx.conf'),
    [...nginx, `http { access_log off; ${temp.join(' ')} server { ${listens} root ${folder}/www; } }`].join('\n'),
  )
  await ready(
    cluster.start('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr']),
    /start worker process /,
  )
}

async function build(): Promise<{ site: Site; developer: Host }> {
  const site = await Site.create(scope)
  const developer = await Host.create(scope, 'dev', 'nameserver 127.0.0.1\n')
  const gateway = await Host.create(scope, 'gw', 'nameserver 127.0.0.1\n')
  const cluster = await Host.create(scope, 'cl', podResolv)
  await developer.join(gateway, '10.90.1.2', GATEWAY)
  await cluster.join(gateway, '10.90.2.2', '10.90.2.1')
  await cluster.have(`${DNS}/32`, `${DB}/32`, `${WEB}/32`, `${SLEEPY}/32`, `${READY}/32`, 'fd00:96::30/128')
  await startServices(cluster)
  const relay = gateway.start(process.execPath, [
    ...[binary, 'gateway', '--listen', '0.0.0.0:8080', '--verify-key', site.publicKeyFile],
    ...['--ingress-domain', 'apps.test', '--ingress-public', 'web/prod:*'],
  ])
  await relay.event('listening')
  const token = await site.token({ role: 'agent' })
  const agent = cluster.start(process.execPath, [
    binary,
    'agent',
    '--gateway',
    'ws://10.90.2.1:8080',
    '--allow-plaintext',
    '--token-file',
    token,
  ])
  await agent.event('registered')
  return { site, developer }
}

const world = skip === false ? await build() : undefined
const there = () => world ?? assert.fail('nothing was built')

/** The developer's command, with the way to the gateway. */
async function connect(...args: string[]): Promise<Process> {
  const { site, developer } = there()
  const token = await site.token({ role: 'connect' })
  return developer.start(process.execPath, [
    binary,
    'connect',
    '--gateway',
    `ws://${GATEWAY}:8080`,
    '--allow-plaintext',
    '--token-file',
    token,
    ...args,
  ])
}

async function forward(target: string): Promise<number> {
  const port = ++ports.dev
  const running = await connect('-o', 'json', `127.0.0.1:${port}:${target}`)
  await running.event('forwarding')
  return port
}

async function says(program: string, args: readonly string[]): Promise<string> {
  const running = there().developer.start(program, args)
  assert.equal((await running.finished()).code, 0, running.describe())
  return running.stdout.trim()
}

test('the developer has no way into the cluster but the tunnel', { skip }, async () => {
  const direct = there().developer.start('curl', ['-s', '-m', '2', `http://${WEB}/`])
  assert.notEqual((await direct.finished()).code, 0)
})

test('a query, a page by the name of its port, and a question to DNS', { skip }, async () => {
  const db = await forward('db/prod:5432')
  const query = ['-h', '127.0.0.1', '-p', String(db), '-U', 'postgres', '-Atc', 'select 6 * 7']
  assert.equal(await says('psql', query), '42')
  const web = await forward('web/prod:http')
  assert.equal(await says('curl', ['-s', `http://127.0.0.1:${web}/`]), 'from the cluster')
  const dns = await forward('dns/kube-system:53/udp')
  const question = ['+short', '-p', String(dns), '@127.0.0.1', 'db.prod.svc.cluster.local']
  assert.equal(await says('dig', question), DB)
})

test('a headless service is reached at the pod that is up, and a pod of it by name', { skip }, async () => {
  const port = await forward('pods/prod:8080')
  for (let n = 0; n < 4; n++) {
    assert.equal(await says('curl', ['-s', `http://127.0.0.1:${port}/`]), 'from the cluster')
  }
  const pod = await forward('pods-1.pods/prod:8080')
  assert.equal(await says('curl', ['-s', `http://127.0.0.1:${pod}/`]), 'from the cluster')
})

test('names that are not there, and what leads out of the cluster, are said to be so', { skip }, async () => {
  for (const [target, code, why] of [
    ['nope/prod:80', 4, /DNS cannot resolve nope\.prod\.svc\.cluster\.local: no such name/],
    ['web/prod:grpc', 4, /DNS no port is named grpc there, or the service is not/],
    ['db/prod:5433', 4, /REFUSED/],
    ['outside/prod:80', 4, /DENIED|UNREACHABLE|DIAL_TIMEOUT/],
  ] as const) {
    const running = await connect('--stdio', target)
    const { code: exit } = await running.finished(20_000)
    assert.ok(exit === code || exit === 3, `${target}: ${running.describe()}`)
    assert.match(running.stderr, why, target)
  }
})

test('a browser at the ingress gets the page', { skip }, async () => {
  const args = ['-s', '-H', 'Host: web--prod--http.apps.test', `http://${GATEWAY}:8080/`]
  assert.equal(await says('curl', args), 'from the cluster')
  const proxy = ++ports.dev
  const running = await connect('-o', 'json', '--socks5', `127.0.0.1:${proxy}`)
  await running.event('forwarding')
  const by = ['-s', '--proxy', `socks5h://127.0.0.1:${proxy}`, 'http://web.prod.svc.cluster.local/']
  assert.equal(await says('curl', by), 'from the cluster')
})

test('what was forgotten when the programs were looked for', { skip: missing.length === 0 || skip !== false }, () => {
  assert.fail(`needs ${missing.join(', ')}`)
})
