/**
 * Loses carriers at every message of a scripted exchange, one by one and two by two.
 *
 * `CUTS='client in 3 before, agent out 0 hole' node --import tsx --test test/sim/cuts.test.ts` plays one run again and
 * prints its messages. `STRIDE=1` plays every pair.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Cut, cutsOf, formatCuts, noCounts, parseCuts } from './cut.ts'
import { type Run, runWithCuts } from './cut-run.ts'

/** Of the second cuts of each first one, one in so many is played. No multiple of the number of ways. */
const stride = Number(process.env.STRIDE ?? 7)

// Each run makes errors whose stacks nobody reads; writing them down would take a third of the time.
const { stackTraceLimit } = Error
before(() => {
  Error.stackTraceLimit = 0
})
after(() => {
  Error.stackTraceLimit = stackTraceLimit
})

const given = process.env.CUTS
if (given === undefined) {
  test('the exchange has every message of a session, and every frame', async () => {
    const log: string[] = []
    const { failure } = await runWithCuts([], log)
    assert.equal(failure, undefined)
    const words = new Set(log.join(' ').match(/[A-Z]{3,}/g))
    const ofMessages = ['HELLO', 'WELCOME', 'ATTACH', 'ATTACHED', 'BATCH', 'ACK', 'PING', 'PONG', 'DETACH']
    const ofFrames = ['OPEN', 'OPENED', 'DATA', 'FIN', 'RESET', 'CREDIT']
    assert.deepEqual(words, new Set([...words, ...ofMessages, ...ofFrames]))
  })

  test('D95-D97: at whatever message a carrier is lost, every stream ends as if it had not been', async t => {
    const { counts } = await play([])
    let runs = 0
    for (const cut of cutsOf(counts)) {
      await play([cut])
      runs++
    }
    t.diagnostic(`${runs} cuts`)
  })

  test('so it is when a second carrier is lost at whatever message follows, those of the resume among them', async t => {
    const firsts = [...cutsOf((await play([])).counts)]
    let pairs = 0
    let runs = 0
    for (const [index, first] of firsts.entries()) {
      for (const second of cutsOf((await play([first])).counts)) {
        // Each first cut begins elsewhere, so that the gaps of one are filled by its neighbours.
        if ((pairs++ + index) % stride !== 0) continue
        await play([first, second])
        runs++
      }
    }
    t.diagnostic(`${runs} of ${pairs} pairs of cuts`)
  })
} else {
  test(`CUTS='${given}'`, async t => {
    const log: string[] = []
    const { failure, struck } = await runWithCuts(parseCuts(given), log)
    for (const line of log) t.diagnostic(line)
    assert.ok(struck, 'there is no such message')
    assert.equal(failure, undefined)
  })
}

test('a cut reads as it is written', () => {
  const counts = { ...noCounts(), 'client in': 1, 'agent out': 2 }
  const cuts = [...cutsOf(counts)]
  assert.equal(cuts.length, 9)
  assert.deepEqual(parseCuts(formatCuts(cuts)), cuts)
  for (const text of ['', 'client in 1', 'client up 1 before', 'agent in 1 sideways', 'agent in x hole']) {
    assert.throws(() => parseCuts(text), /not a cut/)
  }
})

async function play(cuts: readonly Cut[]): Promise<Run> {
  const run = await runWithCuts(cuts)
  assert.ok(run.struck, `CUTS='${formatCuts(cuts)}': there is no such message: the run is not the same each time`)
  assert.equal(run.failure, undefined, `CUTS='${formatCuts(cuts)}'`)
  return run
}
