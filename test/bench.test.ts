import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { quantile, ratio, summarize } from '../bench/statistics.ts'

const program = fileURLToPath(new URL('../bench/run.ts', import.meta.url))

describe('npm run bench', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'bench-test-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** Files of the bench go to a folder of this test, so that one left behind is seen. */
  function bench(...args: string[]): { process: ChildProcess; ended: Promise<Ended> } {
    const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', chunk => {
      stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', chunk => {
      stderr += chunk
    })
    return {
      process: child,
      ended: new Promise((resolve, reject) => {
        child.on('error', reject)
        child.on('close', code => resolve({ code, stdout, stderr }))
      }),
    }
  }

  const leftBehind = () => readdirSync(folder).filter(name => name.startsWith('tunnelctl-bench-'))

  test('measures and verifies without any tool, and names the tool of what it skips', async () => {
    const flags = ['--rounds', '1', '--seconds', '0.05', '--idle', '20', '--verify', '--json', '-']
    const { code, stdout, stderr } = await bench('--only', 'direct,raw', '--own-load', ...flags).ended
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
      const results = report.results.filter(result => result.contender === contender)
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
    assert.deepEqual(
      report.memory.map(({ contender, role }) => `${contender} ${role}`),
      ['raw hop 1', 'raw hop 2', 'raw hop 3'],
    )
    for (const { heap = 0 } of report.memory) assert.ok(heap > 0, 'an open connection takes some memory')
    assert.match(stderr, /echo round trip, p50, µs/)
    assert.deepEqual(leftBehind(), [])
  })

  test('leaves nothing behind when it is interrupted', async () => {
    const { process: child, ended } = bench('--only', 'direct', '--own-load', '--seconds', '60')
    child.stderr?.on('data', chunk => {
      if (String(chunk).includes('round 1')) child.kill('SIGINT')
    })
    assert.equal((await ended).code, 130)
    assert.deepEqual(leftBehind(), [])
  })

  test('refuses an argument it cannot use in one line', async () => {
    const { code, stderr } = await bench('--only', 'chain').ended
    assert.equal(code, 2)
    assert.match(stderr, /^--only: there is no contender "chain"\n/)
  })
})

describe('statistics of the bench', () => {
  test('a median is the middle sample, or the mean of the two middle ones', () => {
    assert.deepEqual(summarize([5, 1, 3]), { median: 3, min: 1, max: 5 })
    assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5)
  })

  test('a percentile is a sample, and the last one for a short list', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
    assert.equal(quantile(hundred, 0.99), 99)
    assert.equal(quantile([7, 9], 0.99), 9)
    assert.throws(() => quantile([], 0.5), RangeError)
  })

  test('a ratio compares round by round and passes over rounds that only one has', () => {
    assert.equal(ratio([10, 200, 30], [5, 100, 10]), 2)
    assert.equal(ratio([10, undefined, 30], [5, 100, undefined]), 2)
    assert.equal(ratio([10], []), undefined)
  })
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Report {
  readonly failed: boolean
  readonly checks: readonly { readonly contender: string; readonly check: string; readonly bytes: number }[]
  readonly results: readonly {
    readonly id: string
    readonly contender: string
    readonly values: readonly number[]
    readonly median?: number
    readonly skipped?: string
  }[]
  readonly memory: readonly { readonly contender: string; readonly role?: string; readonly heap?: number }[]
}
