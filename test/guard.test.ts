import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Baseline, incomparable, readBaseline, renewed } from '../bench/guard/baseline.ts'
import { nodeOptions, parseCount } from '../bench/guard/callgrind.ts'
import { units } from '../bench/guard/measure.ts'
import { formatTable } from '../bench/guard/table.ts'
import { failed, judge, type Verdict } from '../bench/guard/verdict.ts'
import { counted } from '../bench/guard/workload.ts'

const made = { node: 'v20.20.2', arch: 'x64', valgrind: 'valgrind-3.19.0', date: '2026-01-01', runs: 3 }
const baseline = (entries: Record<string, [figure: number, tolerance: number]>): Baseline => ({
  made,
  entries: Object.fromEntries(
    Object.entries(entries).map(([id, [figure, tolerance]]) => [id, { figure, unit: 'bytes', tolerance, spread: 0 }]),
  ),
})
const judgements = (verdicts: readonly Verdict[]) => verdicts.map(({ id, judgement }) => `${id} ${judgement}`)

describe('the verdict of the guard', () => {
  const before = baseline({ bulk: [1000, 0.02], idle: [500, 0.1] })
  const of = (bulk: number, idle: number) =>
    judge(
      new Map([
        ['bulk', bulk],
        ['idle', idle],
      ]),
      before,
    )

  test('a change within its own tolerance is none', () => {
    assert.deepEqual(judgements(of(1019, 549)), ['bulk ok', 'idle ok'])
    assert.deepEqual(judgements(of(981, 451)), ['bulk ok', 'idle ok'])
    assert.equal(failed(of(1019, 549)), false)
  })

  test('more than that is slower, and fails', () => {
    assert.deepEqual(judgements(of(1021, 500)), ['bulk slower', 'idle ok'])
    assert.deepEqual(judgements(of(1000, 551)), ['bulk ok', 'idle slower'])
    assert.equal(failed(of(1021, 500)), true)
  })

  test('much less is told, and does not fail', () => {
    const verdicts = of(700, 500)
    assert.deepEqual(judgements(verdicts), ['bulk faster', 'idle ok'])
    assert.ok(Math.abs((verdicts[0]?.change ?? 0) + 0.3) < 1e-9)
    assert.equal(failed(verdicts), false)
  })

  test('what the baseline does not know, or what was not measured, fails: it would not be guarded', () => {
    const verdicts = judge(new Map([['relay', 7]]), baseline({ bulk: [1, 0.1] }))
    assert.deepEqual(judgements(verdicts), ['relay new', 'bulk missing'])
    for (const verdict of verdicts) assert.equal(failed([verdict]), true)
  })

  test('a figure that is no number is not taken for a good one', () => {
    assert.equal(failed(of(Number.NaN, 500)), true)
  })
})

describe('a new baseline', () => {
  const runs = [10, 30, 20].map(figure => new Map([['bulk', 1000 + figure / 10]]))
  const unit = new Map([['bulk', 'instructions / 64 KiB']])

  test('is the median of its runs, with their spread, and keeps the tolerances', () => {
    const { entries } = renewed(runs, unit, made, baseline({ bulk: [1, 0.05], gone: [1, 0.05] }))
    assert.deepEqual(Object.keys(entries), ['bulk'])
    assert.equal(entries.bulk?.figure, 1002)
    assert.equal(entries.bulk?.tolerance, 0.05)
    assert.ok(Math.abs((entries.bulk?.spread ?? 0) - 2 / 1002) < 1e-9)
  })

  test('is refused when its runs differ so much that the tolerance would be crossed by chance', () => {
    assert.throws(() => renewed(runs, unit, made, baseline({ bulk: [1, 0.003] })), /^Error: bulk: a spread of 0\.20 %/)
  })

  test('is compared with the same Node on the same architecture only', () => {
    assert.equal(incomparable(made, { ...made, valgrind: 'valgrind-3.24.0' }), undefined)
    assert.match(
      incomparable(made, { ...made, node: 'v20.21.0' }) ?? '',
      /v20\.20\.2 on x64, this is v20\.21\.0 on x64/,
    )
    assert.match(incomparable(made, { ...made, arch: 'arm64' }) ?? '', /on arm64/)
  })

  test('the one that is there covers every workload, and its spread is within its tolerances', () => {
    const { entries } = readBaseline()
    assert.deepEqual(Object.keys(entries), [...units.keys()])
    for (const [id, { figure, tolerance, spread, unit }] of Object.entries(entries)) {
      assert.ok(figure > 0 && tolerance > 0 && 2 * spread <= tolerance, id)
      assert.equal(unit, units.get(id))
    }
  })
})

test('the count is read from what callgrind writes', () => {
  const output = '==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n==7== I   refs:      1,234,567\n'
  assert.equal(parseCount(output), 1_234_567)
  assert.throws(() => parseCount('==7== something\nKilled\n'), /no count: Killed/)
})

test('the table has a line for each figure, with what to do', () => {
  const verdicts = judge(
    new Map([
      ['bulk', 123_456],
      ['idle', 90],
    ]),
    baseline({ bulk: [120_000, 0.02], idle: [100, 0.02] }),
  )
  const [head = '', bulk = '', idle = ''] = formatTable(verdicts, units).split('\n')
  assert.match(head, /^ +baseline +now +change +tolerance$/)
  assert.match(bulk, /^one bulk stream +instructions \/ 64 KiB +120,000 +123,456 +\+2\.88 % +±2\.00 % {2}SLOWER$/)
  assert.match(idle, /^idle stream, both ends +bytes +100 +90 +-10\.00 % +±2\.00 % {2}faster: renew the baseline/)
})

test('every workload does what it says, whole', async () => {
  for (const { run } of counted) await run()
  assert.ok(nodeOptions.includes('--predictable'))
})
