import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { defaultAgentLimits } from '../../src/agent/limits.ts'
import { agentLimitNames, agentLimitsFrom, gatewayLimitNames, gatewayLimitsFrom } from '../../src/cli/limits.ts'
import { defaultGatewayLimits } from '../../src/gateway/limits.ts'

const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8')

/** The names and defaults in a table of the page. */
function documented(table: string): Record<string, string> {
  const rows =
    page
      .split(`<!-- table: ${table} -->`)[1]
      ?.split('\n\n')[0]
      ?.match(/^\| `([\w-]+)` \| ([^|]+) \|/gm) ?? []
  return Object.fromEntries(
    rows
      .map(row => row.split('|').map(cell => cell.replaceAll('`', '').trim()))
      .map(([, name, value]) => [name, value]),
  )
}

test('every limit stands in docs/security.md with its default', () => {
  const shown = (unit: string, value: number) =>
    unit === 'MiB' ? `${value / 1024 / 1024} MiB` : unit === 'duration' ? `${value / 1000}s` : String(value)
  const gateway = [...gatewayLimitNames].map(([name, { key, unit }]) => [name, shown(unit, defaultGatewayLimits[key])])
  const agent = [...agentLimitNames].map(([name, { key, unit }]) => [name, shown(unit, defaultAgentLimits[key])])
  assert.deepEqual(documented('gateway limits'), Object.fromEntries(gateway))
  assert.deepEqual(documented('agent limits'), Object.fromEntries(agent))
  assert.deepEqual(
    [gateway.length, agent.length],
    [Object.keys(defaultGatewayLimits).length, Object.keys(defaultAgentLimits).length],
  )
})

test('a limit is changed by its name, and the others stay', () => {
  const limit = ['connections=7', 'arrival-time=1500ms', 'queued-memory=3', 'connections=8']
  assert.deepEqual(gatewayLimitsFrom({ limit }), {
    ...defaultGatewayLimits,
    connections: 8,
    arrivalMs: 1_500,
    queuedBytes: 3 * 1024 * 1024,
  })
  assert.deepEqual(agentLimitsFrom({}), defaultAgentLimits)
  assert.equal(agentLimitsFrom({ limit: ['vain-per-second=1'] }).vainPerSecond, 1)
})

test('what is no limit, or no value of one, is a usage error that says what there is', () => {
  const table: [string, RegExp, RegExp][] = [
    ['connection=7', /is no limit/, /connections, connections-per-address/],
    ['connections', /is no limit/, /name=value/],
    ['connections=', /not a whole number/, /^$/],
    ['connections=0', /not a whole number/, /^$/],
    ['connections=-1', /not a whole number/, /^$/],
    ['connections=1e3', /not a whole number/, /^$/],
    ['arrival-time=0', /out of range/, /from/],
    ['arrival-time=soon', /malformed duration/, /90s/],
    ['queued-memory=0', /not a number of MiB/, /whole number/],
    ['__proto__=1', /is no limit/, /name=value/],
  ]
  for (const [text, message, hint] of table)
    assert.throws(() => gatewayLimitsFrom({ limit: [text] }), { code: 'USAGE', message, hint }, text)
})
