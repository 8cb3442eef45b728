/**
 * The npx that started this process. A killed npx takes no child with it and passes no signal on, so the child has to look
 * whether it is still there.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const POLL_MS = 1_000

/** Calls `ended` when the npx that started this process is gone; the answer stops looking. */
export function endWithNpx(ended: () => void): () => void {
  if (process.env.npm_command !== 'exec') return () => {}
  const parent = process.ppid
  const above = aboveShell(parent)
  const timer = setInterval(() => {
    if (process.ppid !== parent || (above !== undefined && !isChildOf(above, parent))) ended()
  }, POLL_MS).unref()
  return () => clearInterval(timer)
}

/**
 * npx runs what it starts by a shell. Some shells become the program; others wait for it, and go on waiting when npx is
 * gone: then npx is one further up.
 */
function aboveShell(pid: number): number | undefined {
  const { name, parent } = process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
  return /(^|\/)-?[a-z]*sh$/.test(name) ? parent : undefined
}

/** Elsewhere than on Linux it would take a process to ask whose child it is, so that `parent` lives must do. */
function isChildOf(parent: number, pid: number): boolean {
  if (process.platform === 'linux') return fromProc(pid).parent === parent
  try {
    return process.kill(parent, 0)
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}

interface Family {
  readonly name: string
  readonly parent: number | undefined
}

const unknown: Family = { name: '', parent: undefined }

/** proc(5), fields 2 and 4. */
function fromProc(pid: number): Family {
  try {
    const [, name = '', parent] = /^\d+ \((.*)\) \S (\d+) /s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return { name, parent: Number(parent) }
  } catch {
    return unknown
  }
}

function fromPs(pid: number): Family {
  try {
    const said = execFileSync('ps', ['-o', 'ppid=,comm=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' })
    const [, parent, name = ''] = /^\s*(\d+)\s+(.*?)\s*$/.exec(said) ?? []
    return { name, parent: Number(parent) }
  } catch {
    return unknown
  }
}
