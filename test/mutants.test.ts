/** The deliberate bugs of scripts/mutants follow the code: each can still be put in. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Mutant {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

test('the text that each of them changes is there, once', async () => {
  let checked = 0
  for (const area of readdirSync(join(root, 'scripts/mutants'))) {
    const { mutants } = (await import(join(root, 'scripts/mutants', area))) as { mutants: readonly Mutant[] }
    for (const { name, file, from, to } of mutants) {
      assert.notEqual(from, to, name)
      assert.equal(readFileSync(join(root, file), 'utf8').split(from).length - 1, 1, `${area}: ${name}`)
      checked++
    }
  }
  assert.ok(checked > 90, `${checked} bugs`)
})
