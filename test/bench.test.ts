import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Load } from '../bench/load.ts'
import { measureResume } from '../bench/measures/resume.ts'
import { jobs } from '../bench/processes/jobs.ts'
import { quantile } from '../bench/statistics.ts'
import { bench } from './support/bench.ts'

const runBench = (...args: string[]) => bench('run.ts', ...args)

describe('npm run bench', () => {
  test('measures and verifies without any tool, and names the tool of what it skips', async () => {
    const flags = ['--rounds', '1', '--seconds', '0.05', '--idle', '20', '--verify', '--json', '-']
    const { code, stdout, stderr, left } = await runBench('--only', 'direct,raw', '--own-load', ...flags).ended
    assert.equal(code, 0, stderr)
    const report = JSON.parse(stdout) as Report
    assert.equal(report.failed, false)
    for (const contender of ['direct', 'raw']) {
      const checks = report.checks.filter(check => check.contender === contender)
      assert.deepEqual(
        checks.map(({ check, bytes }) => [check, bytes]),
        [
          ['echo', 2 ** 20],
          ['transfer up', 2 ** 26],
          ['transfer down', 2 ** 26],
        ],
      )
      const results = report.results.filter(result => result.contender === contender && result.part === 'standard')
      assert.deepEqual(
        results.filter(result => result.skipped === undefined).map(result => result.id),
        ['roundtrip-p50', 'roundtrip-p99', 'connection-p50'],
      )
      assert.deepEqual(new Set(results.map(result => result.skipped)), new Set(['iperf3', 'wrk', undefined]))
      for (const { median, values } of results.filter(result => result.skipped === undefined)) {
        assert.equal(values.length, 1)
        assert.ok(median !== undefined && median > 0)
      }
    }
    const memory = report.results.filter(result => result.id === 'memory-used' && result.contender === 'raw')
    assert.deepEqual(
      memory.map(result => result.process),
      ['hop 1', 'hop 2', 'hop 3'],
    )
    for (const { median = 0 } of memory) assert.ok(median > 0, 'an open connection takes some memory')
    const resume = report.results.filter(result => result.part === 'resume')
    assert.deepEqual(
      resume.map(result => [result.contender, result.skipped]),
      [
        ['direct', 'unable'],
        ['raw', 'unable'],
      ],
    )
    assert.deepEqual(
      report.parts.map(({ id }) => id),
      ['standard', 'standard-cpu', 'resume', 'memory'],
    )
    assert.match(stderr, /echo round trip, p50, µs/)
    assert.deepEqual(left, [])
  })

  test('measures fairness, and each link that it knows', async () => {
    const flags = ['--parts', 'fairness,wan', '--seconds', '0.02', '--json', '-']
    const { code, stdout, stderr, left } = await runBench('--only', 'direct', '--own-load', ...flags).ended
    assert.equal(code, 0, stderr)
    const report = JSON.parse(stdout) as Report
    const wan = ['100ms/200Mbit', '50ms/10Mbit', '20ms/1Gbit', '200ms/50Mbit, stalls'].map(name => `wan ${name}`)
    assert.deepEqual(
      report.parts.map(({ id }) => id),
      ['fairness', ...wan],
    )
    for (const { id, skipped, values } of report.results) assert.ok(skipped === undefined && values.length === 1, id)
    assert.deepEqual(left, [])
  })

  test('measures how tunnelctl starts, idles, and serves many clients', async () => {
    const flags = ['--parts', 'start,idle,scale', '--seconds', '0.02', '--idle', '10', '--clients', '3', '--json', '-']
    const { code, stdout, stderr, left } = await runBench('--only', 'tunnelctl', '--own-load', ...flags).ended
    assert.equal(code, 0, stderr)
    const { results } = JSON.parse(stdout) as Report
    const values = (wanted: string) => results.filter(({ id }) => id === wanted).map(({ median }) => median)
    for (const id of ['start-connect', 'scale-rate-10']) {
      const [value = 0, ...more] = values(id)
      assert.ok(value > 0 && more.length === 0, id)
    }
    assert.deepEqual(values('scale-lost'), [0])
    assert.deepEqual(left, [])
  })

  test('leaves nothing behind when it is interrupted', async () => {
    const { process: child, ended } = runBench('--only', 'direct', '--own-load', '--seconds', '60')
    child.stderr?.on('data', chunk => {
      if (String(chunk).includes('round 1')) child.kill('SIGINT')
    })
    const { code, left } = await ended
    assert.equal(code, 130)
    assert.deepEqual(left, [])
  })

  test('refuses an argument it cannot use in one line', async () => {
    const { code, stderr } = await runBench('--only', 'chain').ended
    assert.equal(code, 2)
    assert.match(stderr, /^--only: there is no contender "chain"\n/)
  })
})

describe('the resume gap of the bench', () => {
  /** An echo whose chunks go through `answer`; `use` gets its port. */
  async function withEcho<T>(answer: (chunk: Buffer, socket: Socket) => unknown, use: (port: number) => Promise<T>) {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, socket => {
      socket.on('error', () => undefined)
      socket.on('data', chunk => answer(chunk, socket))
      socket.on('end', () => socket.end())
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    try {
      return await use((server.address() as AddressInfo).port)
    } finally {
      await jobs.dropFlow({})
      await new Promise(resolve => server.close(resolve))
    }
  }

  test('lasts from the return of the gateway to the next byte', async () => {
    const awayMs = 60
    let away = Promise.resolve()
    const held: Buffer[] = []
    const echo = async (chunk: Buffer, socket: Socket) => {
      held.push(chunk)
      await away
      for (const next of held.splice(0)) socket.write(next)
    }
    const [all, ...byOutage] = await withEcho(echo, port => {
      const restart = async () => {
        let back = () => {}
        away = new Promise(resolve => {
          back = resolve
        })
        // What was answered before is there by then.
        await sleep(10)
        setTimeout(back, awayMs)
        return Date.now()
      }
      const running = { ports: { echo: port }, processes: [], stop: async () => undefined }
      const load: Pick<Load, 'run'> = { run: (job, argument) => jobs[job](argument as never) as Promise<never> }
      return measureResume(running, restart, load, 3, 10)
    })
    assert.deepEqual(
      byOutage.map(({ figure, values }) => [figure.id, values.length]),
      [
        ['resume-gap-0', 1],
        ['resume-gap-500', 1],
        ['resume-gap-2000', 1],
      ],
    )
    const median = quantile(all?.values.map(Number) ?? [], 0.5)
    assert.ok(median >= awayMs - 2 && median < awayMs + 500, `it was ${median} ms`)
    assert.match(all?.note ?? '', /^3 restarts, [1-9][\d,]* bytes exact$/)
  })

  const wrong: readonly [string, RegExp, (chunk: Buffer, socket: Socket) => unknown][] = [
    ['lost', /byte 3 of the echo is not the one that was sent/, (chunk, socket) => socket.write(chunk.subarray(4))],
    [
      'doubled',
      /byte 259 of the echo is not the one that was sent/,
      (chunk, socket) => socket.write(Buffer.concat([chunk, chunk])),
    ],
    ['changed', /byte 9 of the echo is not/, (chunk, socket) => socket.write(chunk.fill(0xff, 9, 10))],
    ['invented', /more came back than was sent/, (_, socket) => socket.end(numbers())],
    ['cut short', /the echo ended before the flow/, (chunk, socket) => socket.end(chunk.subarray(0, 8))],
    ['reset', /the connection was lost/, (_, socket) => socket.resetAndDestroy()],
  ]
  for (const [what, message, answer] of wrong) {
    test(`is not measured over an echo that is ${what}`, async () => {
      await withEcho(answer, async port => {
        await jobs.flow({ port })
        await assert.rejects(jobs.caughtUp({ timeoutMs: 5_000 }), message)
      })
    })
  }

  test('is not measured when the last bytes do not come back', async () => {
    await withEcho(
      (chunk, socket) => socket.write(chunk.subarray(0, 8)),
      async port => {
        await jobs.flow({ port })
        await assert.rejects(jobs.endFlow({ timeoutMs: 5_000 }), /256 bytes were sent, 8 came back/)
      },
    )
  })
})

/** The numbers from 0 on: more than anybody has sent when the first of them arrives. */
function numbers(): Buffer {
  const bytes = Buffer.alloc(40_000)
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32BE(at / 4, at)
  return bytes
}

interface Report {
  readonly failed: boolean
  readonly checks: readonly { readonly contender: string; readonly check: string; readonly bytes: number }[]
  readonly parts: readonly { readonly id: string }[]
  readonly results: readonly {
    readonly id: string
    readonly part: string
    readonly contender: string
    readonly process?: string
    readonly values: readonly number[]
    readonly median?: number
    readonly skipped?: string
  }[]
}
