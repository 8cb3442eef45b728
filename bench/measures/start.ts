/** How long tunnelctl takes to start. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, scratch } from '../child.ts'
import type { Running } from '../contenders/contender.ts'
import type { Reading } from '../result.ts'
import { quantile } from '../statistics.ts'
import { always, type Figure } from './measure.ts'

const unit = { unit: 'ms', better: 'less' } as const
const empty: Figure = { id: 'start-empty', label: 'an empty Node script, spawn to exit', ...unit }
const version: Figure = { id: 'start-version', label: 'tunnelctl --version, spawn to exit', ...unit }
const slower: Figure = {
  id: 'start-ratio',
  label: 'tunnelctl --version in multiples of an empty Node script',
  unit: '×',
  better: 'less',
  aims: always({ value: 1.3 }),
}
const forwarding: Figure = {
  id: 'start-connect',
  label: 'tunnelctl connect, spawn to its line "Forwarding"',
  ...unit,
  aims: always({ value: 200 }),
}

export const startFigures: readonly Figure[] = [empty, version, slower, forwarding]

/**
 * Does not stop the contender.
 * @param running gateway, agent and connect; more of the last are started beside it
 * @param times of each
 */
export async function measureStart(program: string, { processes }: Running, times: number): Promise<Reading[]> {
  const script = join(scratch(), 'empty.mjs')
  writeFileSync(script, '')
  const connect = processes.find(({ role }) => role === 'connect')
  if (connect === undefined) throw new Error('there is no connect')
  const taken = new Map<Figure, number[]>([empty, version, forwarding].map(figure => [figure, []]))
  for (let time = 0; time <= times; time++) {
    const values = [
      await untilExit(() => new Child('empty script', process.execPath, [script])),
      await untilExit(() => new Child('version', process.execPath, [program, '--version'])),
      await untilForwarding(connect),
    ]
    // The first time reads the files from the disk.
    if (time > 0) for (const [index, of] of [...taken.values()].entries()) of.push(values[index] ?? 0)
  }
  const median = (figure: Figure) => quantile(taken.get(figure) ?? [], 0.5)
  return [
    ...[...taken].map(([figure, values]) => ({ figure, values })),
    { figure: slower, values: [median(version) / median(empty)] },
  ]
}

async function untilExit(start: () => Child): Promise<number> {
  const begin = performance.now()
  const child = start()
  if ((await child.finished(10_000)) !== 0) throw new Error(`${child.role} ${child.end}`)
  return performance.now() - begin
}

async function untilForwarding(connect: Child): Promise<number> {
  const begin = performance.now()
  const child = connect.again()
  try {
    const found = (line: string) => (line.startsWith('Forwarding') ? performance.now() : undefined)
    return (await child.line('stdout', 'line "Forwarding"', found, { everyMs: 1 })) - begin
  } finally {
    await child.stop()
  }
}
