import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { matching, offersOf } from '../../src/cli/picker.ts'
import { recentPicks, rememberPick } from '../../src/cli/recent.ts'

const tcp = (port: number | string, name?: string) => ({ port, ...(name && { name }), protocol: 'tcp' as const })
const agents = [
  {
    name: 'home',
    services: [
      { service: 'db', namespace: 'prod', ports: [tcp(5432, 'postgres'), tcp(9187)] },
      { service: 'dns', namespace: 'prod', ports: [{ port: 53, protocol: 'udp' as const }] },
    ],
  },
  { name: 'office', services: [{ service: 'wiki', namespace: 'intranet', ports: [tcp('http')] }] },
]

const targets = (offers: readonly { target: string }[]): string[] => offers.map(({ target }) => target)

test('every port of every service is offered, what was picked before first, the newest at the top', () => {
  assert.deepEqual(targets(offersOf(agents, [])), [
    'db/prod:5432',
    'db/prod:9187',
    'dns/prod:53/udp',
    'wiki/intranet:http',
  ])
  const recent = [
    { agent: 'office', target: 'wiki/intranet:http' },
    { agent: 'gone', target: 'db/prod:5432' },
    { agent: 'home', target: 'db/prod:9187' },
  ]
  const offers = offersOf(agents, recent)
  assert.deepEqual(targets(offers), ['wiki/intranet:http', 'db/prod:9187', 'db/prod:5432', 'dns/prod:53/udp'])
  assert.deepEqual(
    offers.map(each => each.recent),
    [true, true, false, false],
  )
})

test('each word that is typed narrows the list: service, namespace, port, its name, agent, in any order', () => {
  const offers = offersOf(agents, [])
  for (const [term, found] of [
    [undefined, 4],
    ['', 4],
    ['prod', 3],
    ['postgres', 1],
    ['9187 db', 1],
    ['HOME', 3],
    ['wiki office', 1],
    ['wiki home', 0],
  ] as const) {
    assert.equal(matching(offers, term).length, found, term)
  }
})

function home(t: TestContext): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-recent-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return { XDG_STATE_HOME: folder }
}

test('the last twenty picks are remembered, each once, for this user alone', t => {
  const env = home(t)
  for (let index = 0; index < 25; index++) rememberPick(env, { agent: 'home', target: `a/b:${index}` })
  rememberPick(env, { agent: 'home', target: 'a/b:10' })
  const picks = targets(recentPicks(env))
  assert.equal(picks.length, 20)
  assert.deepEqual(picks.slice(0, 3), ['a/b:10', 'a/b:24', 'a/b:23'])
  assert.equal(statSync(join(String(env.XDG_STATE_HOME), 'tunnelctl/recent.json')).mode & 0o777, 0o600)
})

test('a memory that is damaged, or cannot be written, is none', t => {
  const env = home(t)
  rememberPick(env, { agent: 'home', target: 'a/b:1' })
  for (const text of ['', '{}', '[1, null, {"agent":5}]']) {
    writeFileSync(join(String(env.XDG_STATE_HOME), 'tunnelctl/recent.json'), text)
    assert.deepEqual(recentPicks(env), [])
  }
  rememberPick({ XDG_STATE_HOME: '/proc/none' }, { agent: 'home', target: 'a/b:1' })
})
