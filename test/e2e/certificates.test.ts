/** Which certificate of the gateway is believed, and which one an end shows in place of a token. */
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { PairFiles } from '../../src/net/pem.ts'
import { serveEdge } from '../support/edge.ts'
import type { Process } from '../support/processes.ts'
import { findProgram, makeAuthority, makeCertificate } from '../support/servers.ts'
import { dial, echoed, freePort, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const portOf = (url: string): number => Number(new URL(url).port)

async function outcome(running: Process): Promise<[code: number | null, stdout: string, stderr: string]> {
  const { code } = await running.finished()
  return [code, running.stdout, running.stderr]
}

const RULES = `
certificates:
  - san: URI:spiffe://example.com/agent/home
    agent: home
  - subject: CN=ann
    agents: [home]
    allow: ['echo/test:*']
`

/** A gateway behind an edge that ends TLS, one that lets certificates in, and the pair of both. */
async function setUp() {
  const pair = await makeCertificate(scope, site.folder, ['DNS:gateway.corp'])
  const authority = await makeAuthority(scope, site.folder)
  const plain = await site.gateway()
  await site.agent(plain, serviceArgs({ 'echo/test:7': await serveEcho(scope) }))
  const edge = await serveEdge(scope, pair, portOf(plain.url))
  const rules = site.file('certificates.yaml', RULES)
  const tls = ['--tls-cert', pair.cert, '--tls-key', pair.key]
  const keen = await site.gateway([...tls, '--client-ca', authority.ca, '--client-rules', rules])
  return {
    pair,
    authority,
    token: await site.token({ role: 'connect' }),
    edge,
    url: `wss://127.0.0.1:${edge.port}`,
    keen: `wss://127.0.0.1:${portOf(keen.url)}`,
  }
}

const made = findProgram('openssl') === undefined ? undefined : await setUp()

if (made === undefined) test('certificates', { skip: 'openssl is not installed (on Debian: apt-get install openssl)' })
else tests(made)

function tests({ pair, authority, token, edge, url, keen }: Awaited<ReturnType<typeof setUp>>): void {
  const services = (args: readonly string[], env: Record<string, string> = {}): Process =>
    site.run('services', ['services', ...args, '-o', 'name'], { env })

  test('a gateway that is dialled by its address is believed by the name that it is to have', async () => {
    const access = ['--gateway', url, '--token-file', token, '--ca-file', pair.cert]
    const [code, , stderr] = await outcome(services(access))
    assert.equal(code, 4, stderr)
    assert.match(
      stderr,
      /TLS .*its certificate is for another name, "gateway\.corp" \(.*--tls-server-name; a login page/,
    )
    const [wrong, , why] = await outcome(services([...access, '--tls-server-name', 'other.corp']))
    assert.equal(wrong, 4, why)

    const named = [...access, '--tls-server-name', 'gateway.corp']
    const connect = await site.connect({ url }, ['echo/test:7'], { args: named.slice(2), tokenFile: token })
    const socket = await dial(connect.port('echo/test:7'))
    await echoed(socket, 'by another name')
    socket.destroy()
    assert.equal(edge.requests.at(-1)?.serverName, 'gateway.corp')
    const [seen, found] = await outcome(services(named))
    assert.deepEqual([seen, found], [0, 'echo/test:7\n'])
    const [ill, examined] = await outcome(site.run('doctor', ['doctor', ...named, 'echo/test:7']))
    assert.equal(ill, 0, examined)
    assert.match(examined, /✓ TLS +TLSv1\.3, and the certificate is good for/)
  })

  test('an address, or what is no name, is refused as the name', async () => {
    for (const name of ['127.0.0.1', '::1', 'a b', '', 'gateway.corp.']) {
      const [code, , stderr] = await outcome(
        services(['--gateway', url, '--token-file', token, '--tls-server-name', name]),
      )
      assert.equal(code, 2, stderr)
      assert.match(stderr, /USAGE --tls-server-name "[^"]*" is not the name of a host/)
    }
  })

  test('a certificate that nobody checks is warned of, once in each process that starts', async () => {
    const access = ['--gateway', url, '--token-file', token]
    assert.match((await outcome(services(access)))[2], /TLS .*self-signed \(.*--ca-file; a login page/)
    const warning = `warning: the certificate of 127.0.0.1:${edge.port} is not checked: whoever is in between gets the token, and all that passes\n`
    const insecure = [...access, '--insecure-skip-verify']
    assert.deepEqual(await outcome(services(insecure)), [0, 'echo/test:7\n', warning])
    assert.deepEqual(await outcome(services(access, { TUNNELCTL_INSECURE_SKIP_VERIFY: '1' })), [
      0,
      'echo/test:7\n',
      warning,
    ])
    const [ill, examined, said] = await outcome(site.run('doctor', ['doctor', ...insecure]))
    assert.deepEqual([ill, said], [0, warning])
    assert.match(examined, /✓ TLS +TLSv1\.3, with a certificate that is not checked\n/)

    const env = { XDG_STATE_HOME: join(site.folder, 'state') }
    const forward = `127.0.0.1:${await freePort()}:echo/test:7`
    const detached = site.run('connect', ['connect', ...insecure, '--detach', forward], { env })
    const [code, , told] = await outcome(detached)
    await outcome(site.run('stop', ['stop', '--all'], { env }))
    assert.equal(code, 0, told)
    assert.ok(told.startsWith(warning) && told.split('warning').length === 2, told)
  })

  test('checking is not switched off by a file, by a variable that says no, nor beside an authority', async () => {
    const access = ['--gateway', url, '--token-file', token]
    for (const no of ['0', 'false', '']) {
      const [code, , stderr] = await outcome(services(access, { TUNNELCTL_INSECURE_SKIP_VERIFY: no }))
      assert.equal(code, 2, stderr)
      assert.match(stderr, /^tunnelctl: USAGE TUNNELCTL_INSECURE_SKIP_VERIFY is "[^"]*", which means nothing/)
    }
    const [both, , why] = await outcome(services([...access, '--insecure-skip-verify', '--ca-file', pair.cert]))
    assert.equal(both, 2, why)
    assert.match(why, /'--insecure-skip-verify' cannot be used with option '--ca-file/)

    const config = site.file(
      'insecure.yaml',
      `current: a\ncontexts: { a: { gateway: '${url}', insecure-skip-verify: 'true' } }\n`,
    )
    const [code, , stderr] = await outcome(services(['--token-file', token], { TUNNELCTL_CONFIG: config }))
    assert.equal(code, 2, stderr)
    assert.match(stderr, /"insecure-skip-verify" in context a means nothing/)
    const profile = site.file('tunnelctl.yaml', 'insecure-skip-verify: true\nforwards: [echo/test:7]\n')
    const up = await outcome(site.run('up', ['up', '--file', profile]))
    assert.equal(up[0], 2, up[2])
    assert.match(up[2], /"insecure-skip-verify" in the file means nothing/)
  })

  test('a certificate lets an agent and a connect in, without a token', async () => {
    const common = ['--gateway', keen, '--ca-file', pair.cert, '--tls-server-name', 'gateway.corp']
    const of = ({ cert, key }: PairFiles) => [...common, '--client-cert', cert, '--client-key', key]
    const agent = of(await authority.sign('/O=Example', ['URI:spiffe://example.com/agent/home', 'DNS:other.corp']))
    const running = site.run('agent', ['agent', ...agent, ...serviceArgs({ 'echo/test:7': await serveEcho(scope) })])
    const { agent: name } = await running.event('registered')
    assert.equal(name, 'spiffe://example.com/agent/home')

    const ann = of(await authority.sign('/CN=ann'))
    const connect = site.run('connect', ['connect', ...ann, '-o', 'json', '127.0.0.1:0:echo/test:7'])
    const { local } = await connect.event('forwarding')
    const socket = await dial(Number(String(local).split(':').at(-1)))
    await echoed(socket, 'by a certificate')
    socket.destroy()
    const [ill, examined] = await outcome(site.run('doctor', ['doctor', ...ann, 'echo/test:7']))
    assert.equal(ill, 0, examined)
    assert.match(examined, /✓ token +none, but a certificate for ann, good for \d+ d/)
    assert.match(examined, /✓ gateway +lets this certificate in/)

    const [stranger, , why] = await outcome(services(of(await authority.sign('/CN=eve'))))
    assert.equal(stranger, 3, why)
    assert.match(why, /UNAUTHENTICATED .*the certificate of the client stands for nobody here/)
    const [twice, , said] = await outcome(services([...ann, '--token-file', token]))
    assert.equal(twice, 1, said)
    assert.match(
      said,
      /a token and a certificate that stands for somebody came together \(check what --token-file, --client-/,
    )
    const [without, , told] = await outcome(services(common))
    assert.equal(without, 3, told)
    assert.match(told, /TOKEN_FILE no token was given/)
  })

  test('login keeps names and paths of what the gateway is dialled with, and no token where none is needed', async () => {
    const { cert, key } = await authority.sign('/CN=ann')
    const home = join(site.folder, 'home')
    mkdirSync(home)
    for (const [from, to] of [
      [cert, 'me.pem'],
      [key, 'me.key'],
    ] as const)
      copyFileSync(from, join(home, to))
    writeFileSync(join(home, 'edge.headers'), 'X-Team: payments\n', { mode: 0o600 })
    const config = join(home, 'config.yaml')
    const options = { env: { TUNNELCTL_CONFIG: config }, cwd: home }
    const trust = ['--ca-file', pair.cert, '--tls-server-name', 'gateway.corp']
    const own = ['--client-cert', 'me.pem', '--client-key', 'me.key', '--header-file', 'edge.headers']
    const [code, , stderr] = await outcome(
      site.run('login', ['login', '--gateway', keen, ...trust, ...own, '--header', 'X-A: b', '--name', 'c'], options),
    )
    assert.equal(code, 0, stderr)
    assert.match(stderr, /^logged in to wss:\/\/\S+ by a certificate; agents connected: /)
    assert.match(stderr, /the context does not keep --header: give that each time\n$/)
    const shown = `name: c
gateway: ${keen}
ca-file: ${pair.cert}
tls-server-name: gateway.corp
client-cert: ${join(home, 'me.pem')}
client-key: ${join(home, 'me.key')}
header-file: ${join(home, 'edge.headers')}
`
    assert.equal((await outcome(site.run('context', ['context', 'show'], options)))[1], shown)
    // A path in the configuration is one from its folder.
    writeFileSync(config, readFileSync(config, 'utf8').replaceAll(`${home}/`, ''))
    assert.equal((await outcome(site.run('context', ['context', 'show'], { ...options, cwd: '/' })))[1], shown)
    const listed = await outcome(site.run('services', ['services', '-o', 'name'], { ...options, cwd: '/' }))
    assert.equal(listed[0], 0, listed[2])
    const secret = { ...options, env: { ...options.env, TUNNELCTL_HEADER: 'X-A: s3cret' } }
    const [, view] = await outcome(site.run('config', ['config', 'view', '--show-origin'], secret))
    assert.match(view, /^header +\(not shown\) +TUNNELCTL_HEADER$/m)
    assert.match(view, /^client-cert +\S+me\.pem +context c$/m)
    assert.doesNotMatch(view, /s3cret|payments/)
  })

  test('certificate and key are one pair, given both, without a passphrase, and the key is for one reader', async () => {
    const [ann, eve] = [await authority.sign('/CN=ann'), await authority.sign('/CN=eve')]
    const asked = async (...args: string[]) =>
      await outcome(services(['--gateway', keen, '--ca-file', pair.cert, '--tls-server-name', 'gateway.corp', ...args]))
    const locked = site.file(
      'locked.key',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\n\n-----END ENCRYPTED PRIVATE KEY-----\n',
    )
    const wrong: [args: string[], why: RegExp][] = [
      [['--client-cert', ann.cert], /USAGE --client-cert and --client-key belong together: only one was given/],
      [['--client-key', ann.key], /USAGE --client-cert and --client-key belong together/],
      [
        ['--client-cert', ann.cert, '--client-key', eve.key],
        /KEY_FILE .* do not fit: the key is another certificate's/,
      ],
      [['--client-cert', ann.key, '--client-key', ann.key], /KEY_FILE .* does not begin with a certificate in PEM/],
      [['--client-cert', ann.cert, '--client-key', ann.cert], /KEY_FILE .* holds no private key in PEM/],
      [['--client-cert', ann.cert, '--client-key', locked], /KEY_FILE .* is locked with a passphrase/],
      [['--client-cert', ann.cert, '--client-key', '/nowhere'], /KEY_FILE cannot read \/nowhere: no such file/],
    ]
    for (const [args, why] of wrong) {
      const [code, , stderr] = await asked(...args)
      assert.equal(code, 2, stderr)
      assert.match(stderr, why)
      assert.match(stderr, /^[^\n]+\n$/)
    }
    chmodSync(ann.key, 0o644)
    const [code, , stderr] = await asked('--client-cert', ann.cert, '--client-key', ann.key)
    assert.equal(code, 0, stderr)
    assert.match(stderr, /^warning: other users can read the key in \S+ \(mode 0644\): chmod 600 it\n/)
  })

  test('a gateway that insists on a certificate says so', async () => {
    const strict = await serveEdge(scope, pair, 9, { requestCert: true, ca: readFileSync(authority.ca) })
    const access = ['--gateway', `wss://127.0.0.1:${strict.port}`, '--token-file', token, '--ca-file', pair.cert]
    const [code, , stderr] = await outcome(services([...access, '--tls-server-name', 'gateway.corp']))
    assert.equal(code, 4, stderr)
    assert.match(stderr, /TLS .*it wants a certificate of this end \(.*--client-cert and --client-key\)/)
  })

  test('files that are renewed are read again for the next carrier', async () => {
    const [ann, renewed] = [await authority.sign('/CN=ann'), await authority.sign('/CN=ann again')]
    const watched = await serveEdge(scope, pair, portOf((await site.gateway()).url), {
      requestCert: true,
      rejectUnauthorized: false,
    })
    await site.agent(
      { url: `wss://127.0.0.1:${watched.port}` },
      ['--ca-file', pair.cert, '--tls-server-name', 'gateway.corp'],
      await site.token({ role: 'agent' }),
    )
    const own = { cert: join(site.folder, 'own.pem'), key: join(site.folder, 'own.key') }
    const put = (from: PairFiles) => {
      copyFileSync(from.cert, own.cert)
      copyFileSync(from.key, own.key)
    }
    put(ann)
    const headers = site.file('edge.headers', 'X-Key: first\n')
    const trust = ['--ca-file', pair.cert, '--tls-server-name', 'gateway.corp']
    const args = [...trust, '--client-cert', own.cert, '--client-key', own.key, '--header-file', headers]
    const connect = await site.connect({ url: `wss://127.0.0.1:${watched.port}` }, ['echo/test:7'], { args })
    const last = watched.requests.at(-1)
    assert.equal(last?.client, 'ann')
    assert.match(last?.head ?? '', /\r\nx-key: first/)
    put(renewed)
    site.file('edge.headers', 'X-Key: second\n')
    process.kill(connect.process.pid, 'SIGHUP')
    await connect.process.event('moved')
    const next = watched.requests.at(-1)
    assert.equal(next?.client, 'ann again')
    assert.match(next?.head ?? '', /\r\nx-key: second/)
  })
}
