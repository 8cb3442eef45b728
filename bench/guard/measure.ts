/** One run of the guard: every figure once, as many processes at a time as there are processors. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { countInstructions, outputOf } from './callgrind.ts'
import { COUNTED_CALLS, counted, idle, start } from './workload.ts'

const program = fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))

/** What each figure counts, by the id of its workload; in the order of the table. */
export const units: ReadonlyMap<string, string> = new Map([
  ...counted.map(({ id, unit }) => [id, `instructions / ${unit}`] as const),
  [start.id, 'instructions'],
  [idle.id, 'bytes'],
])

/** What is measured, bundled once so that nothing is compiled while counting. */
export class Guard {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tunnelctl-guard-'))
  readonly #worker = join(this.#folder, 'worker.mjs')
  readonly #empty = join(this.#folder, 'empty.mjs')

  /** From here on the folder is there until `close`. */
  async open(): Promise<void> {
    writeFileSync(this.#empty, '')
    await build({
      entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
      outfile: this.#worker,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.17',
      logLevel: 'error',
    })
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** The figures of `ids`. Rejects when a process fails. */
  async measure(ids: Iterable<string>): Promise<Map<string, number>> {
    const waiting = [...ids]
    const figures = new Map<string, number>()
    const work = async () => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) figures.set(id, await this.#figure(id))
    }
    await Promise.all(Array.from({ length: availableParallelism() }, work))
    return figures
  }

  async #figure(id: string): Promise<number> {
    if (id === idle.id) return Number(await outputOf([this.#worker, id]))
    if (id === start.id)
      return (await countInstructions([program, '--version'])) - (await countInstructions([this.#empty]))
    const workload = counted.find(each => each.id === id)
    if (workload === undefined) throw new Error(`no workload ${id}`)
    return (await countInstructions([this.#worker, id])) / (COUNTED_CALLS * workload.units)
  }
}
