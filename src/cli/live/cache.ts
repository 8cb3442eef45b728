/** What completion remembers of the gateway's directory, for each way of asking for it. Read at every TAB: it loads nothing. */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { configFile } from '../config/paths.ts'
import { makeOwnFolder } from '../own-folder.ts'

export interface CachedTarget {
  readonly agent: string
  readonly namespace: string
  /** `db/prod:5432`. */
  readonly target: string
}

export interface Cached {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly targets: readonly CachedTarget[]
}

type Env = Readonly<Record<string, string | undefined>>

/** The variables that decide who is asked, and as whom. */
const ASKED_WITH = [
  'GATEWAY',
  'CONTEXT',
  'TOKEN_FILE',
  'TOKEN',
  'CA_FILE',
  'TLS_SERVER_NAME',
  'CLIENT_CERT',
  'CLIENT_KEY',
  'HEADER',
  'HEADER_FILE',
] as const

export function cacheFile(env: Env): string {
  const { XDG_CACHE_HOME: xdg, HOME: home } = env
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(home || homedir(), '.cache')
  const config = configFile(env)
  const asked = [...ASKED_WITH.map(name => env[`TUNNELCTL_${name}`] ?? ''), config, String(modifiedAt(config))]
  return join(base, 'tunnelctl', `directory-${hash(asked.join('\0'))}.json`)
}

export function readCache(file: string): Cached | undefined {
  try {
    const { at, targets } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Cached>
    return typeof at === 'number' && Array.isArray(targets) ? { at, targets } : undefined
  } catch {
    return undefined
  }
}

/** For this user alone, and never half of it. */
export function writeCache(file: string, cached: Cached): void {
  makeOwnFolder(dirname(file))
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, JSON.stringify(cached), { mode: 0o600 })
  renameSync(draft, file)
}

/** 0 when there is no such file. */
export function modifiedAt(file: string): number {
  try {
    return statSync(file).mtimeMs
  } catch {
    return 0
  }
}

/** FNV-1a: to tell names apart, nothing more; loading node:crypto for it would cost as much as all the rest. */
function hash(text: string): string {
  let value = 2166136261
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 16777619)
  return (value >>> 0).toString(16).padStart(8, '0')
}
