/** What was measured where: without it, a number means nothing. */
import { spawnSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'
import { environment } from './child.ts'
import type { Tools } from './tools.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
}

export function describeMachine(): Machine {
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() || 'unknown',
    cores: cores.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
  }
}

/** By name; what is not installed, or not built, is left out. */
export function describeVersions(tools: Tools, binary: string | undefined): Record<string, string> {
  const versions: Record<string, string> = { node: process.versions.node }
  for (const [name, tool] of Object.entries(tools)) versions[name] = tool.version
  if (binary !== undefined) {
    versions.tunnelctl = output(process.execPath, [binary, '--version']) ?? 'unknown'
    const commit = output('git', ['describe', '--always', '--dirty', '--exclude=*'])
    if (commit !== undefined) versions.commit = commit
  }
  return versions
}

function output(command: string, args: readonly string[]): string | undefined {
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const { status, stdout } = spawnSync(command, args, { cwd, env: environment(), encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}
