import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { commandLine } from '../bench/command.ts'
import type { Comparison } from '../bench/comparison.ts'
import type { Contender } from '../bench/contenders/contender.ts'
import { always, type Figure } from '../bench/measures/measure.ts'
import { type Described, formatJson, formatText, type Setting } from '../bench/report.ts'
import { type Outcome, resultsOf } from '../bench/result.ts'

const contender = (name: string): Contender => ({
  name,
  security: name.endsWith('-tls') ? 'tls' : 'plain',
  about: { hops: 3, transport: 'any', install: `apt-get install ${name}` },
  start: () => Promise.reject(new Error('not here')),
})
const outcome = (name: string, figure: Figure, values: readonly (number | undefined)[], process?: string): Outcome => ({
  contender: contender(name),
  readings: [{ figure, values, ...(process !== undefined && { process }) }],
})

const speed: Figure = {
  id: 'speed',
  label: 'speed',
  unit: 'Gbit/s',
  better: 'more',
  aims: { plain: { ratio: 1.2 }, tls: { ratio: 0.9 } },
}
const delay: Figure = { id: 'delay', label: 'delay', unit: 'ms', better: 'less', aims: always({ value: 130 }) }

describe('the results of the bench', () => {
  test('compare like with like: each with the yardstick of its security, round by round', () => {
    const results = resultsOf(
      'standard',
      [speed],
      [
        outcome('haproxy', speed, [10, 20]),
        outcome('haproxy-tls', speed, [4, 5]),
        outcome('tunnelctl', speed, [13, 24]),
        outcome('tunnelctl-tls', speed, [2, 10]),
      ],
    )
    assert.deepEqual(
      results.map(({ ratio }) => ratio),
      [1, 1, 1.25, 1.25],
    )
    assert.deepEqual(
      results.map(({ aim, reached }) => [aim, reached]),
      [
        [{ ratio: 1.2 }, undefined],
        [{ ratio: 0.9 }, undefined],
        [{ ratio: 1.2 }, true],
        [{ ratio: 0.9 }, true],
      ],
    )
  })

  test('say of tunnelctl whether a value reaches its aim, in the direction that is better', () => {
    const reached = (value: number) => resultsOf('wan', [delay], [outcome('tunnelctl', delay, [value])])[0]?.reached
    assert.deepEqual([129, 130, 131].map(reached), [true, true, false])
  })

  test('do not say so without a yardstick', () => {
    const [result] = resultsOf('standard', [speed], [outcome('tunnelctl', speed, [13])])
    assert.equal(result?.median, 13)
    assert.equal(result?.reached, undefined)
  })

  test('name what was skipped or failed once for each figure', () => {
    const outcomes: Outcome[] = [
      { contender: contender('haproxy'), readings: [], skipped: 'haproxy' },
      { contender: contender('tunnelctl'), readings: [], failed: 'it burnt' },
    ]
    assert.deepEqual(
      resultsOf('standard', [speed, delay], outcomes).map(({ id, skipped, failed }) => [id, skipped ?? failed]),
      [
        ['speed', 'haproxy'],
        ['speed', 'it burnt'],
        ['delay', 'haproxy'],
        ['delay', 'it burnt'],
      ],
    )
  })

  test('of processes are compared only with the process of the same role', () => {
    const figure: Figure = { id: 'cpu-x', label: 'x', unit: 's', better: 'less' }
    const results = resultsOf(
      'cpu',
      [figure],
      [outcome('haproxy', figure, [2], 'all'), outcome('tunnelctl', figure, [3], 'all')].concat(
        outcome('raw', figure, [9], 'hop 1'),
      ),
    )
    assert.deepEqual(
      results.map(({ process, ratio }) => [process, ratio]),
      [
        ['all', 1],
        ['all', 1.5],
        ['hop 1', undefined],
      ],
    )
  })
})

test('the command of a run names no file of the machine', () => {
  assert.equal(commandLine([]), 'npm run bench')
  const args = ['--peers-path', '/some/where', '--peers', '--parts', 'standard,wan', '--json=/x.json', '--json', 'y']
  assert.equal(commandLine(args), 'npm run bench -- --peers --parts standard,wan')
  assert.equal(commandLine(['--only', "it's `x`"]), "npm run bench -- --only 'it'\\''s `x`'")
})

describe('the report of the bench', () => {
  const cost: Figure = { id: 'cpu-speed', label: 'speed', unit: 's/GB', better: 'less' }
  const named = ['haproxy', 'tunnelctl'].map(contender)
  const setting: Setting = {
    date: '2025-01-02T03:04:05.000Z',
    command: 'npm run bench -- --rounds 2',
    minutes: 0.5,
    machine: { cpu: 'any', cores: 2, memoryGiB: 1, kernel: 'any' },
    versions: {},
    contenders: named,
    rounds: 2,
    longRounds: 1,
    seconds: 2,
    idle: 0,
    verifyBytes: 0,
  }
  const comparison: Comparison = {
    checks: [],
    parts: [
      {
        id: 'standard',
        label: 'speed of all',
        results: resultsOf(
          'standard',
          [speed],
          [outcome('haproxy', speed, [10, 20]), outcome('tunnelctl', speed, [10, 20])],
        ),
      },
      {
        id: 'standard-cpu',
        label: 'cost of all',
        results: resultsOf('standard-cpu', [cost], [outcome('tunnelctl', cost, [0.25], 'gateway')]),
      },
    ],
    failed: false,
  }

  test('shows each figure with median, range, ratio and verdict, and processes in a table', () => {
    const text = formatText(setting, comparison)
    assert.match(text, /^speed, Gbit\/s \(more is better; tunnelctl aims at ≥ 1\.20 × haproxy\)$/m)
    assert.match(text, /^ {2}tunnelctl +15\.0 +10\.0 – 20\.0 +1\.00 +missed$/m)
    assert.match(text, /^cost of all +speed$/m)
    assert.match(text, /^ {2}tunnelctl gateway +0\.250$/m)
    assert.match(text, /^measured {2}2025-01-02T03:04:05\.000Z, 0\.5 min: 2 rounds of 2 s/m)
  })

  test('says what each contender is, and how to get one that is missing', () => {
    const missing = { ...contender('haproxy'), missing: 'haproxy' }
    const text = formatText({ ...setting, contenders: [missing, contender('tunnelctl')] }, comparison)
    assert.match(text, /^ {2}haproxy {4}3 hops, any; skipped: haproxy \(apt-get install haproxy\)$/m)
    assert.match(text, /^ {2}tunnelctl {2}3 hops, any$/m)
  })

  test('is complete as JSON: every result with its figure, its part and the aim', () => {
    const report = JSON.parse(formatJson(setting, comparison))
    assert.deepEqual(report.parts, [
      { id: 'standard', label: 'speed of all' },
      { id: 'standard-cpu', label: 'cost of all' },
    ])
    assert.deepEqual([report.v, report.date, report.command, report.minutes], [3, setting.date, setting.command, 0.5])
    assert.deepEqual(
      report.contenders.map(({ name, hops }: Described) => [name, hops]),
      [
        ['haproxy', 3],
        ['tunnelctl', 3],
      ],
    )
    assert.deepEqual(report.results[1], {
      part: 'standard',
      id: 'speed',
      label: 'speed',
      unit: 'Gbit/s',
      better: 'more',
      aim: { ratio: 1.2 },
      contender: 'tunnelctl',
      security: 'plain',
      values: [10, 20],
      median: 15,
      min: 10,
      max: 20,
      ratio: 1,
      reached: false,
    })
  })
})
