/** What is typed wrong, or meets the wrong thing, ends with one line that says what, why and what to do. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { listen } from '../../src/net/listen.ts'
import type { Process } from '../support/processes.ts'
import { findProgram, makeCertificate } from '../support/servers.ts'
import { dial, echoed, freePort, serve, serveEcho } from '../support/sockets.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const HOUR_MS = 60 * 60_000
const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
const services = { 'echo/test:7': await serveEcho(scope) }
await site.agent(gateway, serviceArgs(services))
const second = await site.token({ role: 'agent', agents: ['office'], subject: 'second' })
await site.agent(gateway, [], second)
const connectToken = await site.token({ role: 'connect', agents: ['home'] })
const agentToken = await site.token({ role: 'agent', agents: ['third'] })

/** Starts `connect` with a good token and a good target, and `args` behind. */
const connecting = (args: readonly string[], url = gateway.url, tokenFile = connectToken): Process =>
  site.run('connect', ['connect', '--gateway', url, '--token-file', tokenFile, ...args])

const to = 'echo/test:7'

/** The one line, after the checks that hold for every failure. */
async function refusal(running: Process, exitCode: number): Promise<string> {
  const { code } = await running.finished()
  const { stdout, stderr } = running
  assert.doesNotMatch(stderr, /^\s+at /m, 'a stack trace')
  assert.match(stderr, /^tunnelctl: [^\n]+\n$/, 'not one line')
  assert.equal(stdout, '', 'failures go to stderr')
  assert.equal(code, exitCode, stderr)
  return stderr.trimEnd()
}

/** A failure of the table: its code, what and why, and what to do in brackets. */
async function failure(running: Process, exitCode: number, code: string, why: RegExp, hint = /./): Promise<void> {
  const line = await refusal(running, exitCode)
  const [, said, message = '', advice = ''] =
    /^tunnelctl: ([A-Z_]+) (.+?) \(([^()]*(?:\([^()]*\)[^()]*)*)\)$/.exec(line) ?? []
  assert.equal(said, code, line)
  assert.match(message, why)
  assert.match(advice, hint)
}

const once = (args: readonly string[]) => site.run(args[0] ?? '', args)

/** The slowest case, so it runs beside all others. */
const silence = (async () => {
  const port = await serve(scope, () => {})
  return connecting([to], `ws://127.0.0.1:${port}`)
})()

describe('the command line', { concurrency: 3 }, () => {
  const usage = (name: string, args: readonly string[], why: RegExp) =>
    test(name, async () => {
      assert.match(await refusal(once(args), 2), why)
    })

  usage('an unknown command', ['conect'], /unknown command 'conect'.*connect.*--help/)
  usage('an unknown flag', ['connect', '--gatewy', 'x', to], /unknown option '--gatewy'.*--gateway/)
  usage('a flag without its value', ['connect', to, '--gateway'], /--gateway.*argument missing/)
  usage('an output format that there is not', ['connect', to, '-o', 'xml'], /xml.*text, json/)
  usage('no target', ['connect', '--gateway', gateway.url], /no target was given.*db\/prod:5432/)
  usage('no gateway', ['connect', to], /no gateway was given.*--gateway/)
  usage('a gateway that is no URL', ['connect', '--gateway', 'my gateway', to], /"my gateway" is not a URL.*wss:/)
  usage('a gateway of another kind', ['connect', '--gateway', 'ftp://x', to], /not a ws or wss URL.*wss:/)
  usage('a secret in the URL', ['connect', '--gateway', 'ws://me:secret@x', to], /must not hold credentials/)
  usage('a token as an argument', ['connect', '--token', 'secret', to], /never given as an argument.*--token-file/)
  usage('a gateway without keys', ['gateway', '--listen', '127.0.0.1:0'], /no key to check tokens.*--verify-key/)
  usage('--dev for the whole world', ['gateway', '--dev', '--listen', '0.0.0.0:0'], /--dev serves this machine only/)
  usage('an address that is none', ['gateway', '--dev', '--listen', 'here'], /"here" is not an address.*HOST:PORT/)
  usage('half a TLS pair', ['gateway', '--verify-key', site.publicKeyFile, '--tls-cert', 'x'], /go together/)
  usage('a private key at the gateway', ['gateway', '--verify-key', join(site.folder, 'issuer.key')], /private key/)
  usage('a key file that is not there', ['gateway', '--verify-key', join(site.folder, 'none')], /no such file/)
  usage('a malformed service', ['agent', '--gateway', gateway.url, '--service', 'db=5'], /malformed --service/)
  usage('a malformed pattern', ['agent', '--gateway', gateway.url, '--allow', 'db'], /db/)
  usage('a malformed duration', ['connect', '--stats-interval', 'soon', to], /malformed duration "soon"/)
  usage('two targets for --stdio', ['connect', '--stdio', to, 'echo/test:8'], /--stdio takes one target/)
  usage('an unknown subcommand of token', ['token', 'creat'], /unknown command 'creat'/)
  usage('a token without a role', ['token', 'create', '--key', 'k'], /--role/)

  for (const target of ['db', 'db/prod:65536', 'a b/c:1']) {
    usage(`the malformed target ${target}`, ['connect', '--gateway', gateway.url, target], /target/)
  }
})

describe('the token', { concurrency: 3 }, () => {
  const wrong = (name: string, content: string | undefined, why: RegExp) =>
    test(name, async () => {
      const file =
        content === undefined ? join(site.folder, 'no such file') : site.file(name.replaceAll(' ', '-'), content)
      await failure(connecting([to], gateway.url, file), 3, 'TOKEN_FILE', why, /./)
    })
  wrong('a token file that is not there', undefined, /no such file/)
  wrong('an empty token file', '', /empty/)
  wrong('a blank token file', ' \n\n', /empty/)
  wrong('a token file that holds a key', '{"kty":"OKP"}', /holds a key or JSON/)
  wrong('a token file that holds something else', 'hello', /holds no token/)
  wrong('a token file with two tokens', 'a.b.c\nd.e.f', /more than one token/)
  wrong('a token file that is too long', 'a'.repeat(20_000), /over 16 KiB|over 8 KiB/)

  test('a token file that is a directory', async () => {
    mkdirSync(join(site.folder, 'folder'))
    await failure(connecting([to], gateway.url, join(site.folder, 'folder')), 3, 'TOKEN_FILE', /it is a directory/)
  })

  const root = process.getuid?.() === 0
  test('a token file that this user may not read', { skip: root && 'root may read everything' }, async () => {
    const file = site.file('closed.token', 'a.b.c')
    chmodSync(file, 0o000)
    await failure(connecting([to], gateway.url, file), 3, 'TOKEN_FILE', /permission denied/)
  })

  test('no token at all', async () => {
    const running = once(['connect', '--gateway', gateway.url, to])
    await failure(running, 3, 'TOKEN_FILE', /no token was given/, /--token-file/)
  })

  test('a JWT that nobody has signed', async () => {
    const [head, claims] = (await site.tokenText({ role: 'connect' })).split('.')
    const file = site.file('forged.token', `${head}.${claims}.${Buffer.alloc(64).toString('base64url')}`)
    await failure(connecting([to], gateway.url, file), 3, 'UNAUTHENTICATED', /signature of the token is wrong/)
  })

  test('a token of another issuer', async () => {
    const other = await Site.create(scope)
    const file = await other.token({ role: 'connect' })
    await failure(connecting([to], gateway.url, file), 3, 'UNAUTHENTICATED', /no key with the id/)
  })

  test('a token that has expired', async () => {
    const file = await site.token({ role: 'connect', now: Date.now() - 3 * HOUR_MS, ttlMs: HOUR_MS })
    await failure(connecting([to], gateway.url, file), 3, 'UNAUTHENTICATED', /expired 2 h ago/, /token/)
  })

  test('a token from the future', async () => {
    const file = await site.token({ role: 'connect', now: Date.now() + HOUR_MS })
    await failure(connecting([to], gateway.url, file), 3, 'UNAUTHENTICATED', /future|not valid yet/)
  })

  test("an agent's token for connect", async () => {
    const running = connecting([to], gateway.url, agentToken)
    await failure(running, 3, 'FORBIDDEN', /for role agent, not for role connect/)
  })

  test("connect's token for an agent", async () => {
    const running = once(['agent', '--gateway', gateway.url, '--token-file', connectToken])
    await failure(running, 3, 'TOKEN_FILE', /no token for an agent/, /--role agent/)
  })

  test('an agent whose name another subject holds', async () => {
    const file = await site.token({ role: 'agent', agents: ['home'], subject: 'somebody else' })
    const running = once(['agent', '--gateway', gateway.url, '--token-file', file])
    await failure(running, 3, 'FORBIDDEN', /home is held by another subject/)
  })

  test('an agent with an expired token', async () => {
    const file = await site.token({ role: 'agent', agents: ['third'], now: Date.now() - 3 * HOUR_MS, ttlMs: HOUR_MS })
    const running = once(['agent', '--gateway', gateway.url, '--token-file', file])
    await failure(running, 3, 'UNAUTHENTICATED', /expired 2 h ago/)
  })
})

describe('the agent to go through', { concurrency: 3 }, () => {
  test('an agent that is not connected', async () => {
    const file = await site.token({ role: 'connect', agents: ['*'] })
    const running = connecting([to, '--agent', 'nobody'], gateway.url, file)
    await failure(running, 4, 'AGENT_UNAVAILABLE', /agent nobody is not connected.*home, office/, /name is right/)
  })

  test('an agent that the token does not allow', async () => {
    const running = connecting([to, '--agent', 'office'])
    await failure(running, 3, 'FORBIDDEN', /does not allow agent office: it allows home/, /token/)
  })

  test('a name that no agent can have', async () => {
    const running = connecting([to, '--agent', 'No Such Agent'])
    await failure(running, 2, 'USAGE', /"No Such Agent" is not the name of an agent/)
  })

  test('several agents, and none chosen', async () => {
    const file = await site.token({ role: 'connect', agents: ['*'] })
    await failure(connecting([to], gateway.url, file), 2, 'USAGE', /several connected agents: home, office/, /--agent/)
  })

  test('no agent that the token allows', async () => {
    const file = await site.token({ role: 'connect', agents: ['elsewhere'] })
    await failure(connecting([to], gateway.url, file), 4, 'AGENT_UNAVAILABLE', /no agent that the token allows/)
  })
})

describe('the local port', { concurrency: 3 }, () => {
  test('a port that is taken and was asked for', async () => {
    const taken = await serveEcho(scope)
    await failure(connecting([`${taken}:${to}`]), 1, 'PORT_TAKEN', new RegExp(`127.0.0.1:${taken}.*taken`), /another/)
  })

  test('an address that this machine does not have', async () => {
    await failure(connecting([`192.0.2.1:0:${to}`]), 1, 'LISTEN', /does not have the address/)
  })

  test('a port of the gateway that is taken', async () => {
    const taken = await serveEcho(scope)
    const running = once(['gateway', '--listen', `127.0.0.1:${taken}`, '--verify-key', site.publicKeyFile])
    await failure(running, 1, 'PORT_TAKEN', /taken/)
  })

  test('a port that is taken and was not asked for: another one is told', async () => {
    const port = services[to]
    const running = site.run('connect', [
      'connect',
      '--gateway',
      gateway.url,
      '--token-file',
      connectToken,
      `echo/test:${port}`,
    ])
    const line = await running.until('Forwarding line', () => /^Forwarding from .*$/m.exec(running.stdout)?.[0])
    assert.match(line, new RegExp(`^Forwarding from 127\\.0\\.0\\.1:(?!${port} )\\d+ -> echo/test:${port}$`))
    await running.kill()
  })
})

describe('the gateway', { concurrency: 3 }, () => {
  test('nobody listens there', async () => {
    const running = connecting([to], `ws://127.0.0.1:${await freePort()}`)
    await failure(running, 4, 'GATEWAY_UNREACHABLE', /refused the connection/, /--gateway/)
  })

  test('its name does not resolve', async () => {
    await failure(connecting([to], 'wss://gateway.invalid'), 4, 'GATEWAY_UNREACHABLE', /name (does not|cannot)/)
  })

  test('the path is wrong', async () => {
    await failure(connecting([to], `${gateway.url}/elsewhere`), 4, 'NOT_A_GATEWAY', /status 404/, /path/)
  })

  for (const status of [200, 302, 404]) {
    test(`a web server that answers ${status}`, async () => {
      const server = createHttpServer((_, response) => {
        response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('<html>hello</html>')
      })
      after(() => server.close())
      const running = connecting([to], `ws://${await listen(server, { host: '127.0.0.1', port: 0 })}`)
      await failure(running, 4, 'NOT_A_GATEWAY', new RegExp(`not a tunnelctl gateway.*${status}`), /URL/)
    })
  }

  test('a proxy without a gateway behind it', async () => {
    const server = createHttpServer((_, response) => response.writeHead(502).end('Bad Gateway'))
    after(() => server.close())
    const running = connecting([to], `ws://${await listen(server, { host: '127.0.0.1', port: 0 })}`)
    await failure(running, 4, 'GATEWAY_UNREACHABLE', /status 502/)
  })

  test('a server that speaks something else', async () => {
    const port = await serve(scope, socket => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
    await failure(connecting([to], `ws://127.0.0.1:${port}`), 4, 'NOT_A_GATEWAY', /does not speak WebSocket/)
  })

  test('a server that hangs up', async () => {
    const port = await serve(scope, socket => socket.destroy())
    await failure(connecting([to], `ws://127.0.0.1:${port}`), 4, 'GATEWAY_UNREACHABLE', /closed the connection/)
  })

  test('a WebSocket server that is no gateway of ours', async () => {
    const server = createHttpServer()
    server.on('upgrade', (_, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    })
    after(() => server.close())
    const running = connecting([to], `ws://${await listen(server, { host: '127.0.0.1', port: 0 })}`)
    await failure(running, 4, 'NOT_A_GATEWAY', /does not speak WebSocket/)
  })

  test('plain, asked for TLS', async () => {
    const running = connecting([to], gateway.url.replace('ws:', 'wss:'))
    await failure(running, 4, 'TLS', /does not speak TLS there/, /without TLS there, write ws:/)
  })

  test('an agent waits for a gateway that is not there yet', async () => {
    const port = await freePort()
    const running = once(['agent', '--gateway', `ws://127.0.0.1:${port}`, '--token-file', agentToken])
    await running.event('cannot register')
    await site.gateway([], `127.0.0.1:${port}`)
    await running.event('registered')
    await running.kill()
  })
})

const openssl =
  findProgram('openssl') === undefined ? 'openssl is not installed (on Debian: apt-get install openssl)' : false
describe('TLS', { skip: openssl }, () => {
  test('a self-signed gateway is refused, and taken with --ca-file', async () => {
    const { cert, key } = await makeCertificate(scope, site.folder)
    const secure = await site.gateway(['--tls-cert', cert, '--tls-key', key])
    const { port } = new URL(secure.url)
    const url = `wss://localhost:${port}`

    await failure(connecting([to], url), 4, 'TLS', /certificate is self-signed/, /--ca-file/)
    await failure(
      connecting([to, '--ca-file', cert], `wss://127.0.0.1:${port}`),
      4,
      'TLS',
      /certificate is for another name/,
    )
    await failure(connecting([to], `ws://127.0.0.1:${port}`), 4, 'GATEWAY_UNREACHABLE', /closed the connection/, /wss:/)
    await failure(
      connecting([to, '--ca-file', join(site.folder, 'none.pem')], url),
      2,
      'USAGE',
      /cannot read the CA file/,
    )
    await failure(connecting([to, '--ca-file', site.publicKeyFile], url), 2, 'USAGE', /CA file/)
    await refusal(once(['gateway', '--verify-key', site.publicKeyFile, '--tls-cert', cert, '--tls-key', cert]), 2)

    await site.agent({ url }, ['--ca-file', cert, ...serviceArgs(services)])
    const connect = await site.connect({ url }, [to], { args: ['--ca-file', cert] })
    const client = await dial(connect.port(to))
    await echoed(client, 'through TLS')
    client.destroy()
  })
})

test('a gateway that says nothing at all', async () => {
  await failure(await silence, 4, 'GATEWAY_UNREACHABLE', /did not answer within 10 s/)
})

test('a failure of connect -o json is an event on stdout too', async () => {
  const running = connecting([to, '-o', 'json'], `ws://127.0.0.1:${await freePort()}`)
  const { code } = await running.finished()
  assert.equal(code, 4)
  const errors = running.events.filter(({ event }) => event === 'error')
  assert.deepEqual(
    errors.map(({ code }) => code),
    ['GATEWAY_UNREACHABLE'],
  )
})

test('a reader of stdout that goes away does not end the tunnel', async () => {
  const args = ['-o', 'json', '--stats-interval', '50ms', `127.0.0.1:0:${to}`]
  const tokenFile = await site.token({ role: 'connect' })
  const all = ['connect', '--gateway', gateway.url, '--token-file', tokenFile, '--agent', 'home', ...args]
  const running = site.run('connect', all, { ownStdout: true })
  let text = ''
  for await (const chunk of running.output) {
    text += String(chunk)
    if (text.includes('forwarding')) break
  }
  const client = await dial(Number(/"local":"[^"]*:(\d+)"/.exec(text)?.[1]))
  // Several figures must have met the closed pipe by then.
  for (let round = 0; round < 10; round++) {
    await echoed(client, 'still here')
    await sleep(50)
  }
  assert.equal(running.stderr, '')
  await running.kill('SIGTERM')
  assert.equal((await running.exited).code, 130)
})

test('--no-color means the same wherever it stands, and not behind --', async () => {
  const coloured = { env: { FORCE_COLOR: '1' } }
  const failing = ['connect', '--gateway', 'ftp://x', to]
  const colour = '\x1b['
  for (const [args, expected] of [
    [failing, true],
    [[...failing, '--no-color'], false],
    [['--no-color', ...failing], false],
  ] as const) {
    const running = site.run('connect', args, coloured)
    assert.equal((await running.finished()).code, 2)
    assert.equal(running.stderr.includes(colour), expected, args.join(' '))
  }
  const beside = connecting([`127.0.0.1:0:${to}`, '--', 'echo', '--no-color'])
  assert.equal((await beside.finished()).code, 0)
  assert.equal(beside.stdout, '--no-color\n')
})
