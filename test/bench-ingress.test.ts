import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { contenders, framesOnly } from '../bench/ingress/contenders.ts'
import { framesOutcomes } from '../bench/ingress/frames.ts'
import { echoRate } from '../bench/ingress/measures.ts'
import { jobs } from '../bench/processes/jobs.ts'
import type { Report } from '../bench/report.ts'
import { findTools } from '../bench/tools.ts'
import { bench } from './support/bench.ts'

const runBench = (...args: string[]) => bench('ingress/run.ts', ...args).ended
const tools = findTools()

describe('npm run bench:ingress', () => {
  const short = ['--rounds', '1', '--seconds', '0.05', '--idle', '10', '--body', '2', '--json', '-']

  test('measures and verifies WebSockets and uploads without any tool, and names the tool of what it skips', async () => {
    const { code, stdout, stderr, left } = await runBench('--own-load', '--verify', ...short)
    assert.equal(code, 0, stderr)
    const report = JSON.parse(stdout) as Report
    assert.equal(report.failed, false)
    const names = ['direct', 'tunnelctl', 'tunnelctl-totals', 'tunnelctl-each']
    for (const name of names) {
      const checks = report.checks.filter(({ contender }) => contender === name).map(({ check }) => check)
      assert.deepEqual(checks, ['websocket', 'body up'])
      const echo = report.results.find(({ id, contender }) => id === 'echo-rate' && contender === name)
      assert.ok((echo?.median ?? 0) > 0)
    }
    const skipped = report.results.flatMap(({ contender, id, skipped: why }) =>
      why === undefined || contender !== 'tunnelctl' ? [] : [[id, why]],
    )
    assert.deepEqual(Object.fromEntries(skipped), {
      ...{ 'requests-1': 'wrk', 'requests-64': 'wrk', 'cpu-requests-1': 'wrk', 'cpu-requests-64': 'wrk' },
      ...{ 'latency-p50': 'nginx', 'latency-p99': 'nginx', 'latency-added-p50': 'nginx', 'body-down': 'nginx' },
    })
    assert.deepEqual(
      report.parts.map(({ id }) => id),
      ['http', 'websocket', 'frames', 'cpu', 'steady', 'memory'].map(id => `ingress-${id}`),
    )
    assert.match(stderr, /haproxy .* skipped: haproxy/)
    assert.deepEqual(left, [])
  })

  const lacking = (['haproxy', 'nginx', 'wrk'] as const).filter(name => tools[name] === undefined)
  const skip = lacking.length === 0 ? false : `missing: ${lacking.join(', ')}`

  test('measures requests and bodies beside the chains of proxies', { skip }, async () => {
    const { code, stdout, stderr, left } = await runBench('--only', 'direct,haproxy,nginx', '--verify', ...short)
    assert.equal(code, 0, stderr)
    const report = JSON.parse(stdout) as Report
    for (const name of ['direct', 'haproxy', 'nginx']) {
      const checks = report.checks.filter(({ contender }) => contender === name).map(({ check }) => check)
      assert.deepEqual(checks, ['http', 'websocket', 'body down', 'body up'])
      for (const id of ['requests-64', 'latency-p99', 'body-down', 'body-up', 'upgrade-p50', 'echo-100-p99']) {
        const result = report.results.find(each => each.id === id && each.contender === name)
        assert.ok((result?.median ?? 0) > 0, `${name}: ${id}`)
      }
    }
    assert.deepEqual(left, [])
  })

  test('refuses an argument it cannot use in one line', async () => {
    const { code, stderr } = await runBench('--only', 'chain')
    assert.equal(code, 2)
    assert.match(stderr, /^--only: there is no contender "chain"\n/)
  })
})

test('frames are compared with the same program that does not look at them, round by round', () => {
  const [, , , off, totals, each] = contenders.map(make => make({}))
  assert.ok(off && totals && each && framesOnly.has(totals.name) && framesOnly.has(each.name))
  const outcomes = framesOutcomes([
    { contender: off, readings: [{ figure: echoRate, values: [100, 200] }] },
    { contender: totals, readings: [{ figure: echoRate, values: [90, 200] }] },
    { contender: each, readings: [], failed: 'lost' },
  ])
  assert.deepEqual(
    outcomes.map(({ contender, readings, failed }) => [contender.name, readings[0]?.values, failed]),
    [
      ['tunnelctl-totals', [90, 100], undefined],
      ['tunnelctl-each', undefined, 'lost'],
    ],
  )
})

describe('the load of the ingress bench', () => {
  /** A server that does `answer` with every chunk, and accepts upgrades; `use` gets its port. */
  async function withServer<T>(answer: (chunk: Buffer, socket: Socket) => unknown, use: (port: number) => Promise<T>) {
    const server = createServer({ noDelay: true }, socket => {
      socket.on('error', () => undefined)
      socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
        socket.on('data', chunk => answer(chunk, socket))
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    try {
      return await use((server.address() as AddressInfo).port)
    } finally {
      server.close()
    }
  }
  const echoes = (port: number) => jobs.webSocketEchoes({ port, host: 'any', seconds: 0.1, connections: 1, window: 1 })

  test('measures no echo that is not the message', async () => {
    await withServer(
      (_, socket) => socket.write(Buffer.alloc(127)),
      port => assert.rejects(echoes(port), /the echo is not what was sent/),
    )
  })

  test('measures no WebSocket that is lost', async () => {
    await withServer(
      (_, socket) => socket.destroy(),
      port => assert.rejects(echoes(port), /a WebSocket was lost/),
    )
  })
})
