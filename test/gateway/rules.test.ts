import assert from 'node:assert/strict'
import { test } from 'node:test'
import { granted, parseRules } from '../../src/gateway/rules.ts'

const good = { agents: '[prod]', allow: '[db/prod:5432]' }
const rule = (fields: Record<string, string>): string =>
  `rules: [{ ${Object.entries({ ...good, ...fields })
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ')} }]`

test('a rule without a claim holds for everybody; the same grant is given once', () => {
  const rules = parseRules(`${rule({})}\nsubject: email`, 'r.yaml')
  assert.equal(rules.subject, 'email')
  assert.deepEqual(granted(rules, {}), { agents: ['prod'], allow: ['db/prod:5432'] })
  const twice = { subject: 'sub', rules: [...rules.rules, ...rules.rules] }
  assert.deepEqual(granted(twice, {}), { agents: ['prod'], allow: ['db/prod:5432'] })
})

test('what an object inherits is no claim', () => {
  const rules = parseRules(rule({ claim: 'constructor', is: 'Object' }), 'r.yaml')
  assert.deepEqual(granted(rules, {}), { agents: [], allow: [] })
  assert.deepEqual(granted(rules, { constructor: 'Object' }).agents, ['prod'])
})

test('what is wrong is named, and nothing is passed over', () => {
  for (const [text, why] of [
    ['', /it is not a map/],
    ['rules: []', /rules is not a list/],
    ['{ rules: [], x: 1 }', /it has "x", which means nothing there/],
    ['rules: [7]', /rule 1 is not a map/],
    [rule({ group: 'x' }), /rule 1 has "group"/],
    [rule({ claim: 'groups' }), /claim and is are two texts/],
    [rule({ claim: 'groups', is: '7' }), /claim and is are two texts/],
    [rule({ agents: 'prod' }), /agents is not a list/],
    [rule({ agents: '["a b"]' }), /"a b" is not the name of an agent/],
    [rule({ allow: '[]' }), /allow is not a list/],
    [rule({ allow: '[everything]' }), /malformed pattern "everything"/],
    [rule({ allow: `[${Array.from({ length: 257 }, () => 'a/b:1').join(', ')}]` }), /over 256 entries/],
    ['rules: [', /malformed/],
    ['subject: 7\nrules: [{}]', /subject is not a text/],
    ['a: &a [x]\nrules: [*a]', /malformed/],
  ] as const) {
    assert.throws(() => parseRules(text, 'r.yaml'), { code: 'USAGE', message: why }, text)
  }
})
