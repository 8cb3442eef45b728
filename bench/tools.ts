/** The programs beside Node that the bench uses when they are installed. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const versions = {
  haproxy: { flag: '-v', pattern: /version (\S+)/i },
  nginx: { flag: '-v', pattern: /nginx\/(\S+)/ },
  wrk: { flag: '-v', pattern: /^wrk (\S+)/ },
  iperf3: { flag: '--version', pattern: /^iperf (\S+)/ },
} as const

export type ToolName = keyof typeof versions

export interface Tool {
  readonly path: string
  readonly version: string
}

/** A tool that is not installed is absent. */
export type Tools = { readonly [name in ToolName]?: Tool }

export function findTools(): Tools {
  const tools: { [name in ToolName]?: Tool } = {}
  for (const name of Object.keys(versions) as ToolName[]) {
    const path = findProgram(name)
    if (path === undefined) continue
    const { flag, pattern } = versions[name]
    const { stdout, stderr } = spawnSync(path, [flag], { encoding: 'utf8' })
    tools[name] = { path, version: pattern.exec(`${stdout}${stderr}`)?.[1] ?? 'unknown' }
  }
  return tools
}

function findProgram(name: string): string | undefined {
  // Debian keeps servers where the PATH of an ordinary user does not look.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return folders
    .filter(folder => folder !== '')
    .map(folder => join(folder, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
