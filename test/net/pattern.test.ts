import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TunnelError } from '../../src/errors.ts'
import { decide, explainDenial, globMatches, isNameGlob, matches, parsePattern } from '../../src/net/pattern.ts'
import { parseTarget } from '../../src/net/target.ts'

const covers = (pattern: string, target: string) => matches(parsePattern(pattern), parseTarget(target))

test('E104: a pattern covers what it says and nothing beside it', () => {
  const table: [string, string, boolean][] = [
    ['api/prod:8080', 'api/prod:8080', true],
    ['api/prod:8080', 'api/prod:8081', false],
    ['api/prod:8080', 'api/prod:80', false],
    ['api/prod:8080', 'api2/prod:8080', false],
    ['api/prod:8080', 'api/prod2:8080', false],
    ['api/prod:8080', 'xapi/prod:8080', false],
    ['api/prod:8080', 'api/prod:8080/udp', true],
    ['api/prod:8080/tcp', 'api/prod:8080/udp', false],
    ['dns/*:53/udp', 'dns/kube-system:53/udp', true],
    ['dns/*:53/udp', 'dns/kube-system:53', false],
    ['*/dev:*', 'anything/dev:1', true],
    ['*/dev:*', 'anything/dev:http', true],
    ['*/dev:*', 'anything/dev-2:1', false],
    ['db-*/prod:5432', 'db-a/prod:5432', true],
    ['db-*/prod:5432', 'db/prod:5432', false],
    ['*-db-*/prod:*', 'a-db-b/prod:1', true],
    ['db/prod:5000-5999', 'db/prod:5000', true],
    ['db/prod:5000-5999', 'db/prod:5999', true],
    ['db/prod:5000-5999', 'db/prod:4999', false],
    ['db/prod:5000-5999', 'db/prod:6000', false],
    ['db/prod:5000-5999', 'db/prod:http', false],
    ['web/prod:http', 'web/prod:http', true],
    ['web/prod:http', 'web/prod:https', false],
    ['web/prod:http', 'web/prod:80', false],
    ['web/prod:80', 'web/prod:http', false],
  ]
  for (const [pattern, target, expected] of table)
    assert.equal(covers(pattern, target), expected, `${pattern} ${target}`)
})

test('a pattern that can never match is refused, so that a typing error does not deny nothing', () => {
  for (const text of [
    '',
    'api',
    'api/prod',
    'api/prod:',
    'api:8080',
    '/prod:80',
    'api/:80',
    'API/prod:80',
    'api/prod:0',
    'api/prod:65536',
    'api/prod:123456',
    'api/prod:6000-5000',
    'api/prod:0-10',
    'api/prod:5000-',
    'api/prod:-5000',
    'api/prod:1-2-3',
    'api/prod:-',
    'api/prod:http-',
    'api/prod:a--b',
    'api/prod:80*',
    'api/prod:**',
    '-api/prod:80',
    'api-/prod:80',
    '-*/prod:80',
    'api/*-:80',
    'api/prod:80/sctp',
    'api/prod:80/tcp/udp',
    'api/prod:80\n',
    ' api/prod:80',
    'api.prod:80',
    `${'a'.repeat(64)}/prod:80`,
  ]) {
    assert.throws(
      () => parsePattern(text),
      (thrown: unknown) => thrown instanceof TunnelError && thrown.code === 'USAGE' && thrown.hint.includes('api/prod'),
      JSON.stringify(text),
    )
  }
})

test('any text is a pattern or a usage error, and a pattern without stars covers the target it spells', () => {
  const near = fc
    .array(fc.constantFrom('db', 'prod', '*', '/', ':', '-', '80', '90', 'http', 'udp'))
    .map(parts => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), near), text => {
      try {
        const pattern = parsePattern(text)
        assert.equal(pattern.text, text)
        if (!text.includes('*') && !/:.*-/.test(text)) assert.ok(matches(pattern, parseTarget(text)))
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'USAGE', String(thrown))
      }
    }),
    { numRuns: 2000 },
  )
})

/** By recursion, as the meaning of `*` is defined: nothing, or one character and the star again. */
function naiveGlob(glob: string, text: string): boolean {
  if (glob === '') return text === ''
  if (glob[0] === '*') return naiveGlob(glob.slice(1), text) || (text !== '' && naiveGlob(glob, text.slice(1)))
  return text !== '' && glob[0] === text[0] && naiveGlob(glob.slice(1), text.slice(1))
}

test('a glob matches exactly what the definition of a star says', () => {
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 10 })
  fc.assert(
    fc.property(glob, text, (g, t) => assert.equal(globMatches(g, t), naiveGlob(g, t), `${g} ${t}`)),
    { numRuns: 5000 },
  )
})

test('a glob made to backtrack costs no more than stars times text', () => {
  const text = 'a'.repeat(20_000)
  assert.equal(globMatches(`${'a*'.repeat(30)}b`, text), false)
})

test('every glob of a name has a name that it matches', () => {
  const glob = fc.string({ unit: fc.constantFrom('a', '0', '-', '*'), minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(glob, g => {
      if (isNameGlob(g)) assert.ok(globMatches(g, g.replaceAll('*', 'x')))
      else assert.ok(/^-|-$/.test(g.replaceAll('*', 'x')))
    }),
  )
})

test('denied goes before allowed, and what nothing allows is denied', () => {
  const target = parseTarget('db/prod:5432')
  const [all, db, other] = ['*/*:*', 'db/*:*', 'web/*:*'].map(parsePattern)
  assert.ok(all && db && other)
  assert.deepEqual(decide(target, []), { allowed: false })
  assert.deepEqual(decide(target, [other]), { allowed: false })
  assert.deepEqual(decide(target, [other, all]), { allowed: true, rule: '*/*:*' })
  assert.deepEqual(decide(target, [all], [other, db]), { allowed: false, rule: 'db/*:*' })
})

test('a denial says who, what and by which rule', () => {
  const target = parseTarget('db.prod:53/udp')
  assert.equal(
    explainDenial('the gateway', target, { allowed: false }),
    'the gateway denies db/prod:53/udp: no pattern allows it',
  )
  assert.equal(
    explainDenial('the agent', target, { allowed: false, rule: 'db/*:*' }),
    'the agent denies db/prod:53/udp: the pattern db/*:* denies it',
  )
})

test('pods and deployments must be meant to be allowed, and are denied with the services of their name', () => {
  const decides = (target: string, allow: string, ...deny: string[]) =>
    decide(parseTarget(target), [parsePattern(allow)], deny.map(parsePattern)).allowed
  for (const target of ['pod/web-0/prod:80', 'deploy/web/prod:80']) {
    assert.ok(!decides(target, '*/*:*'), `${target}: not by what is about services`)
    assert.ok(!decides(target, '*/*:*', 'db/prod:*'))
  }
  assert.ok(decides('pod/web-0/prod:80', 'pod/web-*/prod:80'))
  assert.ok(!decides('deploy/web/prod:80', 'pod/*/*:*'))
  assert.ok(!decides('web/prod:80', 'pod/*/*:*'))
  assert.ok(!decides('pod/web-0/prod:80', 'pod/*/*:*', '*/prod:*'))
  assert.ok(!decides('pod/web-0/prod:80', 'pod/*/*:*', 'web-*/prod:80'))
  assert.ok(decides('pod/web-0/prod:80', 'pod/*/*:*', 'web/prod:80'))
  for (const wrong of ['job/a/b:1', 'pod/a.b/c:1', 'pod//c:1', 'pod/*:1/2'])
    assert.throws(() => parsePattern(wrong), { code: 'USAGE' }, wrong)
})

test('a pattern for services is none for pods of others that are called alike', () => {
  const allows = (pattern: string, target: string) => matches(parsePattern(pattern), parseTarget(target))
  assert.ok(allows('pg-0.pg/db:5432', 'pg-0.pg/db:5432'))
  assert.ok(allows('*.pg/db:*', 'pg-1.pg/db:5432'))
  assert.ok(allows('*/db:*', 'pg-0.pg/db:5432'))
  for (const pattern of ['pg/db:*', 'pg*/db:*', '*pg/db:*', 'pg-0/db:*', '*.other/db:*', 'pg-0.*/other:*']) {
    assert.ok(!allows(pattern, 'pg-0.pg/db:5432'), pattern)
  }
  assert.ok(!allows('*.pg/db:*', 'pg/db:5432'), 'nor one for pods for the service')
  for (const wrong of ['a.b.c/db:1', '.pg/db:1', 'pg./db:1'])
    assert.throws(() => parsePattern(wrong), { code: 'USAGE' }, wrong)
})
