/** docs/security.md says of each negative test where it is: all of them are there, once, and so is what they name. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** The last number of each group. */
const groups: readonly [group: string, last: number][] = [
  ['A', 19],
  ['B', 43],
  ['C', 78],
  ['D', 100],
  ['E', 105],
  ['F', 118],
]

interface Row {
  readonly number: string
  readonly files: readonly string[]
}

function rowsOf(page: string): Row[] {
  const [, section = ''] = page.split(/^## Negative tests$/m)
  const [own = ''] = section.split(/^## /m)
  return [...own.matchAll(/^\| ([A-F]\d+) \|.*\| ([^|]+) \|$/gm)].map(([, number = '', where = '']) => ({
    number,
    files: where.split(', '),
  }))
}

/** The numbers with which names of tests in this file begin: `A1`, `C53, C54` or `D95-D97`. Names in tables count, too. */
function numbersIn(file: string): Set<string> {
  const numbers = new Set<string>()
  const text = readFileSync(join(root, file), 'utf8')
  for (const [, list = ''] of text.matchAll(/['"`]((?:[A-F]\d+(?:-[A-F]\d+)?(?:, )?)+)(?: on a real socket)?:/g)) {
    for (const part of list.split(', ')) {
      const [first = '', last = first] = part.split('-')
      for (let at = Number(first.slice(1)); at <= Number(last.slice(1)); at++) numbers.add(`${first[0]}${at}`)
    }
  }
  return numbers
}

const rows = rowsOf(readFileSync(join(root, 'docs/security.md'), 'utf8'))

test('all 118 numbers are in the table, once and in order', () => {
  const all: string[] = []
  for (const [group, last] of groups) for (let at = all.length + 1; at <= last; at++) all.push(`${group}${at}`)
  assert.equal(all.length, 118)
  assert.deepEqual(
    rows.map(({ number }) => number),
    all,
  )
})

test('each file that the table names has a test whose name begins with that number', () => {
  const wrong: string[] = []
  const known = new Map<string, Set<string>>()
  for (const { number, files } of rows) {
    for (const file of files) {
      if (!/^test\/[\w/-]+\.test\.ts$/.test(file) || !existsSync(join(root, file))) wrong.push(`${number}: ${file}`)
      else {
        const numbers = known.get(file) ?? numbersIn(file)
        known.set(file, numbers)
        if (!numbers.has(number)) wrong.push(`${number} is not in ${file}`)
      }
    }
  }
  assert.deepEqual(wrong, [])
})
