/** The targets that were picked last, the newest first: offered before all others the next time. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { makeOwnFolder } from './own-folder.ts'

export interface Pick {
  readonly agent: string
  readonly target: string
}

const MAX_RECENT = 20

function recentFile({ XDG_STATE_HOME: xdg, HOME: home }: Readonly<Record<string, string | undefined>>): string {
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(home || homedir(), '.local', 'state')
  return join(base, 'tunnelctl', 'recent.json')
}

export function recentPicks(env: NodeJS.ProcessEnv): Pick[] {
  try {
    const all: unknown = JSON.parse(readFileSync(recentFile(env), 'utf8'))
    return Array.isArray(all) ? all.filter(isPick) : []
  } catch {
    return []
  }
}

/** What cannot be remembered is forgotten, and that is all. */
export function rememberPick(env: NodeJS.ProcessEnv, pick: Pick): void {
  const others = recentPicks(env).filter(({ agent, target }) => agent !== pick.agent || target !== pick.target)
  const file = recentFile(env)
  const draft = `${file}.${process.pid}`
  try {
    makeOwnFolder(dirname(file))
    writeFileSync(draft, JSON.stringify([pick, ...others].slice(0, MAX_RECENT)), { mode: 0o600 })
    renameSync(draft, file)
  } catch {
    // The order of a list is all that it was good for.
  }
}

const isPick = (value: Partial<Pick> | null): value is Pick =>
  typeof value?.agent === 'string' && typeof value.target === 'string'
