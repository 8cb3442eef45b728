/** JSON that is not what its reader expects, and text that is hardly JSON any more. */
import type { Random } from '../sim/random.ts'

/** A value as its text: JSON.stringify would not give most of these. */
const values: readonly string[] = [
  'null',
  'true',
  'false',
  '0',
  '-1',
  '-0',
  '1.5',
  '1e308',
  '1e999',
  '65535',
  '65536',
  '4294967295',
  '281474976710655',
  '9007199254740993',
  '""',
  '"0"',
  '"../../etc"',
  '"a.b/c:d"',
  '"__proto__"',
  '"\\ud800"',
  '"\\u0000\\u001b[31m\\r\\n"',
  '"\u202e\ufeff"',
  '[]',
  '{}',
  '[[]]',
  '[null]',
  '{"toString":1,"valueOf":null,"length":-1}',
  '{"__proto__":{"subject":"root","agent":"home"}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
]

/** Names that some reader looks at. */
const names: readonly string[] = [
  ...['role', 'software', 'instance', 'group', 'draining', 'superseded', 'agents', 'afterMs', 'why'],
  ...['reset', 'remove', 'set', 'staleSince', 'service', 'namespace', 'ports', 'port', 'protocol', 'name', 'ready'],
  ...['agent', 'key', 'proof', 'maxInflight', 'subject', '__proto__', 'constructor', 'toString', 'hasOwnProperty'],
]

/** Targets that mean something special, or nearly do. */
const targets: readonly string[] = [
  '{"service":"0","namespace":"0","port":"measure","protocol":"tcp"}',
  '{"service":"echo","namespace":"fuzz","port":7,"protocol":"tcp"}',
  '{"service":"echo","namespace":"fuzz","port":7,"protocol":"udp"}',
  '{"service":"datagrams","namespace":"fuzz","port":53,"protocol":"udp"}',
  '{"service":"pod/a","namespace":"fuzz","port":7,"protocol":"tcp"}',
  '{"service":"deploy/a","namespace":"fuzz","port":"http","protocol":"tcp"}',
  '{"service":"a.b","namespace":"fuzz","port":0,"protocol":"tcp"}',
]

/** Text in the place of `text`; most of what it gives is still a JSON object. */
export function mutateJson(random: Random, text: string): string {
  switch (random.below(11)) {
    case 0:
    case 9:
    case 10:
      return replaceValue(random, text, random.pick(values))
    case 1:
      return withField(text, random.pick(names), random.pick(values))
    case 2:
      return withField(text, random.pick(names), hugeString(random))
    case 3:
      return withField(text, random.pick(names), nested(random, 2 ** (1 + random.below(12))))
    case 4:
      return random.pick(targets)
    case 5:
      return twice(random, text)
    case 6:
      return manyFields(random, text)
    case 7:
      return `${' \t\r\n'.repeat(random.below(4))}${text}${random.pick(['', ' ', '\0', ',', '}', '{}', '\ufeff'])}`
    default:
      return text.slice(0, random.below(text.length + 1))
  }
}

/** In the place of the value of one field. */
function replaceValue(random: Random, text: string, value: string): string {
  const fields = [...text.matchAll(/"\w+":("[^"]*"|[\d.]+|true|false|null)/g)]
  const found = fields.length === 0 ? undefined : random.pick(fields)
  if (found?.[1] === undefined) return value
  const at = found.index + found[0].length - found[1].length
  return text.slice(0, at) + value + text.slice(at + found[1].length)
}

const withField = (text: string, name: string, value: string): string =>
  text.length > 2 ? text.replace(/\}$/, `,"${name}":${value}}`) : `{"${name}":${value}}`

const hugeString = (random: Random): string =>
  `"${random
    .pick(['x', '\\ud83d', '\\u0000', 'é', '€', '.', '/', '-'])
    .repeat(random.pick([63, 64, 65, 128, 129, 253, 254, 1_024, 4_000, 8_100]))}"`

function nested(random: Random, depth: number): string {
  const [open, close] = random.chance(0.5) ? ['[', ']'] : ['{"set":', '}']
  return open.repeat(depth) + (open === '[' ? '' : '0') + close.repeat(depth)
}

/** The same key twice, the second time with something else. */
function twice(random: Random, text: string): string {
  const keys = [...text.matchAll(/"(\w+)":/g)].map(([, key = '']) => key)
  return withField(text, keys.length === 0 ? 'role' : random.pick(keys), random.pick(values))
}

function manyFields(random: Random, text: string): string {
  const count = random.pick([10, 100, 700])
  const fields = Array.from({ length: count }, (_, index) => `"k${index}":${index}`)
  return text.length > 2 ? `{${fields.join(',')},${text.slice(1)}` : `{${fields.join(',')}}`
}
