/** The ingress over TLS: certificates by host, plain HTTP sent on, TLS passed through, and the PROXY protocol. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer as createHttpServer, request as httpRequest } from 'node:http'
import { createServer as createTlsEcho, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after } from 'node:test'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { makeCertificate, realTest } from '../support/servers.ts'
import { freePort } from '../support/sockets.ts'
import { Site } from '../support/tunnel.ts'

const scope = { after }
const openssl = { programs: ['openssl'], packages: 'openssl' }

async function serveHeaders(): Promise<number> {
  const server = createHttpServer((request, response) => response.end(JSON.stringify(request.headers)))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  scope.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

interface Asked {
  readonly port: number
  readonly host: string
  readonly servername?: string
  readonly path?: string
}

async function ask({
  port,
  host,
  servername = host,
  path = '/',
}: Asked): Promise<{ status: number; text: string; names: string }> {
  return await new Promise((resolve, reject) => {
    const options = {
      port,
      host: '127.0.0.1',
      path,
      servername,
      headers: { host },
      rejectUnauthorized: false,
      agent: false,
    }
    const request = httpsRequest(options, response => {
      const { subjectaltname = '' } = (response.socket as TLSSocket).getPeerCertificate()
      let text = ''
      response.setEncoding('utf8').on('data', more => {
        text += more
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, names: subjectaltname }))
    })
    request.on('error', reject).end()
  })
}

async function certificate(site: Site, name: string): Promise<{ cert: string; key: string }> {
  const folder = join(site.folder, name)
  mkdirSync(folder)
  return await makeCertificate(scope, folder, [`DNS:${name}`, 'DNS:localhost'])
}

realTest(
  'each host has its certificate, which is renewed while connections live; a stranger is misdirected',
  openssl,
  async () => {
    const site = await Site.create(scope)
    const [one, two, next] = await Promise.all(['a.test', 'b.test', 'next.test'].map(name => certificate(site, name)))
    assert.ok(one && two && next)
    const service = await serveHeaders()
    const routes = site.file(
      'routes.yaml',
      'routes: [{ host: a.test, target: web/x:1, access: public }, { host: b.test, target: web/x:1, access: public }]',
    )
    const httpPort = await freePort()
    const gateway = await site.gateway([
      ...['--tls-cert', one.cert, '--tls-key', one.key, '--tls-cert', two.cert, '--tls-key', two.key],
      ...['--routes', routes, '--http-listen', `127.0.0.1:${httpPort}`],
    ])
    const port = Number(new URL(gateway.url).port)
    const args = ['--ca-file', one.cert, '--service', `web/x:1=127.0.0.1:${service}`]
    await site.agent({ url: gateway.url.replace('127.0.0.1', 'localhost') }, args)

    const first = await ask({ port, host: 'a.test' })
    assert.deepEqual([first.status, first.names], [200, 'DNS:a.test, DNS:localhost'])
    assert.equal((JSON.parse(first.text) as Record<string, string>)['x-forwarded-proto'], 'https')
    assert.equal((await ask({ port, host: 'b.test' })).names, 'DNS:b.test, DNS:localhost')
    assert.equal((await ask({ port, host: 'b.test', servername: 'a.test' })).status, 421)

    const plain = await new Promise<{ status: number | undefined; location: string | undefined }>((resolve, reject) => {
      const headers = { host: 'a.test', authorization: 'Bearer secret' }
      httpRequest({ port: httpPort, host: '127.0.0.1', path: '/x?y=1', headers }, response => {
        response.resume()
        resolve({ status: response.statusCode, location: response.headers.location })
      })
        .on('error', reject)
        .end()
    })
    assert.deepEqual(plain, { status: 308, location: 'https://a.test/x?y=1' })

    const held = tlsConnect({ port, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false })
    await new Promise(resolve => held.once('secureConnect', resolve))
    copyFileSync(next.cert, one.cert)
    copyFileSync(next.key, one.key)
    process.kill(gateway.process.pid, 'SIGHUP')
    await gateway.process.event('certificates reloaded')
    assert.equal((await ask({ port, host: 'a.test' })).names, 'DNS:next.test, DNS:localhost')
    held.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
    let answer = ''
    for await (const chunk of held) answer += String(chunk)
    assert.match(answer, /^HTTP\/1\.1 200 /)
  },
)

realTest(
  'TLS is passed through to a service that has the certificate, and the gateway sees the host alone',
  openssl,
  async () => {
    const site = await Site.create(scope)
    const [own, services] = await Promise.all(['gateway.test', 'secret.test'].map(name => certificate(site, name)))
    assert.ok(own && services)
    const pair = { cert: readFileSync(services.cert), key: readFileSync(services.key) }
    const service = createTlsEcho(pair, (request, response) =>
      response.end(`${request.method} ${request.headers.host}`),
    )
    await new Promise<void>(resolve => service.listen(0, '127.0.0.1', resolve))
    scope.after(() => {
      service.closeAllConnections()
      service.close()
    })
    const routes = site.file(
      'routes.yaml',
      'routes: [{ host: secret.test, target: tls/x:443, access: public, passthrough: true }, { host: gone.test, target: gone/x:1, access: public, passthrough: true }]',
    )
    const gateway = await site.gateway(['--tls-cert', own.cert, '--tls-key', own.key, '--routes', routes])
    const port = Number(new URL(gateway.url).port)
    await site.agent({ url: gateway.url.replace('127.0.0.1', 'localhost') }, [
      ...['--ca-file', own.cert, '--service', `tls/x:443=127.0.0.1:${(service.address() as AddressInfo).port}`],
      ...['--service', `gone/x:1=127.0.0.1:${await freePort()}`],
    ])
    const { status, text, names } = await ask({ port, host: 'secret.test', path: '/hidden?token=1' })
    assert.deepEqual([status, text, names], [200, 'GET secret.test', 'DNS:secret.test, DNS:localhost'])
    const line = await gateway.process.event('request', ({ host }) => host === 'secret.test')
    assert.deepEqual([line.method, line.target, line.upgrade, line.connected], ['TLS', 'tls/x:443', 'tls', true])
    assert.ok(Number(line.bytesOut) > 500)
    assert.ok(!JSON.stringify(gateway.process.events).includes('hidden'))
    await assert.rejects(ask({ port, host: 'gone.test' }))
    assert.equal((await gateway.process.event('request', ({ host }) => host === 'gone.test')).code, 'REFUSED')
    // Everybody else still gets the gateway's own.
    assert.equal((await ask({ port, host: 'gateway.test' })).names, 'DNS:gateway.test, DNS:localhost')
  },
)

realTest('behind a trusted proxy that speaks the PROXY protocol the client is who it says', openssl, async () => {
  const site = await Site.create(scope)
  const service = await serveHeaders()
  const start = (trusted: string) =>
    site.gateway([
      ...['--proxy-protocol', '--trusted-proxies', trusted, '--ingress-domain', 'apps.test'],
      ...['--ingress-public', '*/*:*'],
    ])
  const gateway = await start('127.0.0.2/32')
  await site.agent(gateway, ['--service', `web/x:1=127.0.0.1:${service}`])
  const port = Number(new URL(gateway.url).port)
  const exchange = async (bytes: string, from: string): Promise<string> => {
    const { connect } = await import('node:net')
    const socket = connect({ port, host: '127.0.0.1', localAddress: from })
    socket.on('error', () => {})
    socket.write(bytes)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    return answer
  }
  const request = 'GET / HTTP/1.1\r\nHost: web--x--1.apps.test\r\nConnection: close\r\n\r\n'
  const told = await exchange(`PROXY TCP4 198.51.100.7 192.0.2.1 4242 443\r\n${request}`, '127.0.0.2')
  assert.match(told, /"x-forwarded-for":"198\.51\.100\.7"/)
  assert.equal((await gateway.process.event('request')).client, '198.51.100.7')
  assert.match(await exchange(request, '127.0.0.1'), /"x-forwarded-for":"127\.0\.0\.1"/)
  assert.equal(await exchange(request, '127.0.0.2'), '', 'a trusted proxy always says who its client is')
  assert.match(
    await exchange(`PROXY TCP4 198.51.100.7 192.0.2.1 4242 443\r\n${request}`, '127.0.0.1'),
    /^HTTP\/1\.1 400/,
  )
})
