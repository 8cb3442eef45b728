/** `connect --detach`: processes that go on without a terminal, and the notes by which they are found again. */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { delay, systemClock } from '../clock.ts'
import { errorCodes, TunnelError } from '../errors.ts'
import { quote } from '../net/quote.ts'
import { makeOwnFolder } from './own-folder.ts'

export interface Detached {
  /** Given by us: the first target, made a name. */
  readonly name: string
  readonly pid: number
  /** Tells the process from a later one with the same number. */
  readonly born: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** `127.0.0.1:5432 db/prod:5432`, one for each forward. */
  readonly forwards: readonly string[]
  readonly log: string
}

type Env = Readonly<Record<string, string | undefined>>

const LOOK_MS = 50
const READY_MS = 30_000
const STOP_MS = 10_000
/** That of a process which still says something is never so old. */
const OLD_LOG_MS = 30 * 24 * 60 * 60_000
const MAX_LOG_TOLD_BYTES = 4 * 1024

function folder({ XDG_STATE_HOME: xdg, HOME: home }: Env): string {
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(home || homedir(), '.local', 'state')
  return join(base, 'tunnelctl', 'detached')
}

/**
 * Starts this program again with `args`, and resolves once all its forwards are open. Only the environment, this user's files
 * and the log are left to it.
 * @throws TunnelError as the process itself has failed, or INTERRUPTED
 */
export async function startDetached(
  args: readonly string[],
  wish: string,
  env: Env,
  signal: AbortSignal,
): Promise<Detached> {
  const at = folder(env)
  makeOwnFolder(at)
  forgetOldLogs(at)
  const name = freeName(wish, env)
  const [log, ready] = [join(at, `${name}.log`), join(at, `${name}.ready`)]
  rmSync(ready, { force: true })
  const output = openSync(log, 'w', 0o600)
  const [, program = ''] = process.argv
  const child = spawn(process.execPath, [...process.execArgv, program, ...args, '--ready-file', ready], {
    detached: true,
    stdio: ['ignore', output, output],
    // Started by npx it must not end with npx.
    env: { ...env, npm_command: '' },
    windowsHide: true,
  })
  closeSync(output)
  let exitCode: number | null | undefined
  child.once('error', () => {
    exitCode = 1
  })
  child.once('exit', code => {
    exitCode = code
  })
  child.unref()
  const until = systemClock.now() + READY_MS
  for (;;) {
    const forwards = linesOf(ready)
    if (forwards.length > 0 && child.pid !== undefined) {
      const detached = { name, pid: child.pid, born: bornAt(child.pid), startedAt: Date.now(), forwards, log }
      writeFileSync(noteOf(name, env), JSON.stringify(detached), { mode: 0o600 })
      return detached
    }
    if (exitCode !== undefined) throw failure(log)
    if (signal.aborted || systemClock.now() > until) {
      child.kill('SIGTERM')
      if (signal.aborted) throw new TunnelError('INTERRUPTED', 'interrupted')
      throw new TunnelError('AGENT_SILENT', `the forwards were not open within ${READY_MS / 1000} s`, {
        hint: `see ${log}`,
      })
    }
    await delay(systemClock, LOOK_MS, signal)
  }
}

/** Those that run, the oldest first. Notes of those that have ended are removed. */
export function listDetached(env: Env): Detached[] {
  const all = notes(env)
  const running = all.filter(isRunning)
  for (const each of all) if (!running.includes(each)) forget(each, env)
  return running.sort((a, b) => a.startedAt - b.startedAt)
}

/**
 * The one of this name; its log is there after its end too, until another takes the name.
 * @throws TunnelError USAGE
 */
export function findDetached(name: string, env: Env): Detached {
  const running = listDetached(env)
  const found = running.find(each => each.name === name)
  if (found !== undefined) return found
  const hint = running.length === 0 ? 'none runs' : `there are: ${running.map(each => each.name).join(', ')}`
  throw new TunnelError('USAGE', `no detached connect is called ${quote(name)}`, { hint })
}

/** Asks it to end, and resolves when it has. Throws TunnelError INTERNAL when it does not, after 10 s. */
export async function stopDetached(detached: Detached, env: Env): Promise<void> {
  signalIfRunning(detached, 'SIGTERM')
  const until = systemClock.now() + STOP_MS
  while (isRunning(detached)) {
    if (systemClock.now() > until)
      throw new TunnelError('INTERNAL', `${detached.name} (pid ${detached.pid}) does not end`)
    await delay(systemClock, LOOK_MS, new AbortController().signal)
  }
  forget(detached, env)
}

export const logOf = (name: string, env: Env): string => join(folder(env), `${name}.log`)

const noteOf = (name: string, env: Env): string => join(folder(env), `${name}.json`)

function notes(env: Env): Detached[] {
  let names: string[]
  try {
    names = readdirSync(folder(env)).filter(name => name.endsWith('.json'))
  } catch {
    return []
  }
  return names.flatMap(name => {
    try {
      const note = JSON.parse(readFileSync(join(folder(env), name), 'utf8')) as Partial<Detached>
      return isNote(note) && `${note.name}.json` === name ? [note] : []
    } catch {
      return []
    }
  })
}

const isNote = (note: Partial<Detached>): note is Detached =>
  typeof note.name === 'string' &&
  Number.isInteger(note.pid) &&
  typeof note.born === 'string' &&
  typeof note.startedAt === 'number' &&
  Array.isArray(note.forwards)

/** Compare-and-delete: another may have taken the name meanwhile. */
function forget({ name, pid }: Detached, env: Env): void {
  if (notes(env).some(each => each.name === name && each.pid === pid)) rmSync(noteOf(name, env), { force: true })
}

function freeName(wish: string, env: Env): string {
  const base =
    wish
      .replace(/[^A-Za-z0-9.-]+/g, '-')
      .replace(/^[-.]+|-+$/g, '')
      .slice(0, 60) || 'connect'
  const taken = new Set(listDetached(env).map(({ name }) => name))
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`
    if (!taken.has(name)) return name
  }
}

/** A log is kept after its process for whoever wants to know why it has ended. */
function forgetOldLogs(at: string): void {
  for (const name of readdirSync(at)) {
    const file = join(at, name)
    if (name.endsWith('.log') && Date.now() - statSync(file).mtimeMs > OLD_LOG_MS) rmSync(file, { force: true })
  }
}

const isRunning = (detached: Detached): boolean => signalIfRunning(detached, 0)

function signalIfRunning({ pid, born }: Detached, signal: NodeJS.Signals | 0): boolean {
  if (bornAt(pid) !== born) return false
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** When the process was started, so that another one of the same number is not taken for it; on Windows the number must do. */
function bornAt(pid: number): string {
  if (process.platform === 'win32') return ''
  if (process.platform !== 'linux') {
    const { status, stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    return status === 0 ? stdout.trim() : 'ended'
  }
  try {
    // proc(5), field 22.
    const [, ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, ') ')
      .split(' ')
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '')
  } catch {
    return ''
  }
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(line => line !== '')
  } catch {
    return []
  }
}

/** What the process has said last is why it has failed. */
function failure(log: string): TunnelError {
  const said = readFileSync(log, 'utf8').slice(-MAX_LOG_TOLD_BYTES).trim().split('\n').at(-1) ?? ''
  const [, code = '', message = said, hint = ''] = /^tunnelctl: ([A-Z_]+) (.*?)(?: \(([^()]*)\))?$/.exec(said) ?? []
  const known = errorCodes.find(each => each === code) ?? 'INTERNAL'
  return new TunnelError(known, message === '' ? 'the process has ended at once' : message, { hint })
}
