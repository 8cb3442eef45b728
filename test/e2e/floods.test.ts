/** Floods of every kind, with an honest client of another subject beside each. How long its echoes take is measured in bench/floods. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('whatever a gateway is flooded with, an honest client loses nothing, and no process dies or swells', async () => {
  const bench = spawn(process.execPath, ['--import', 'tsx', 'bench/floods/run.ts', '--seconds', '1'], { cwd: root })
  let said = ''
  for (const output of [bench.stdout, bench.stderr]) output.on('data', chunk => (said += String(chunk)))
  const [code] = (await once(bench, 'exit')) as [number | null]
  assert.equal(code, 0, said)
})
