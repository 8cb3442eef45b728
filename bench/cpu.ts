/** Processor time, where the system tells it in /proc. */
import { readdirSync, readFileSync } from 'node:fs'

/** What /proc counts in: 1/100 s on every machine that Node runs on. */
const ticksPerSecond = 100

/**
 * User and system time of a process, of all its threads, of its children that have ended, and of those that live, in
 * seconds. Undefined when the system does not tell.
 */
export function processorSeconds(pid: number): number | undefined {
  const processes = readAll()
  let ticks: number | undefined
  const family = [pid]
  for (const member of family) {
    const facts = processes.get(member)
    if (facts === undefined) continue
    ticks = (ticks ?? 0) + facts.ticks
    for (const [child, { parent }] of processes) if (parent === member) family.push(child)
  }
  return ticks === undefined ? undefined : ticks / ticksPerSecond
}

export interface Share {
  readonly role: string
  /** Of one core. */
  readonly percent: number
}

/** Starts to count. The function tells the share of each process since then; of one that is not known, nothing. */
export function sharesFrom(
  processes: readonly { readonly role: string; readonly pid: number | undefined }[],
): () => Share[] {
  const spent = () => processes.map(({ pid }) => (pid === undefined ? undefined : processorSeconds(pid)))
  const [first, start] = [spent(), performance.now()]
  return () => {
    const [last, seconds] = [spent(), (performance.now() - start) / 1000]
    return processes.flatMap(({ role }, index) => {
      const [from, to] = [first[index], last[index]]
      return from === undefined || to === undefined ? [] : [{ role, percent: ((to - from) / seconds) * 100 }]
    })
  }
}

interface Facts {
  readonly parent: number
  readonly ticks: number
}

function readAll(): Map<number, Facts> {
  const processes = new Map<number, Facts>()
  for (const name of readNumbers()) {
    const facts = parseStat(readStat(name))
    if (facts) processes.set(Number(name), facts)
  }
  return processes
}

function readNumbers(): string[] {
  try {
    return readdirSync('/proc').filter(name => /^\d+$/.test(name))
  } catch {
    return []
  }
}

function readStat(name: string): string {
  try {
    return readFileSync(`/proc/${name}/stat`, 'utf8')
  } catch {
    // It has ended meanwhile.
    return ''
  }
}

/** The line of /proc/PID/stat; the name of the program, in brackets, may hold anything. */
export function parseStat(line: string): Facts | undefined {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const [parent, ...ticks] = [fields[1], ...fields.slice(11, 15)].map(Number)
  if (parent === undefined || ticks.length !== 4 || ticks.some(Number.isNaN)) return undefined
  return { parent, ticks: ticks.reduce((sum, each) => sum + each, 0) }
}
