/** What was measured where: without it, a number means nothing. */
import { spawnSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'
import { environment } from './child.ts'
import { loadTools, type ToolName, type Tools } from './tools.ts'

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

/**
 * By name; what is not installed, or not built, is left out.
 * @param programs of the contenders
 */
export function describeVersions(
  tools: Tools,
  programs: readonly ToolName[],
  binary: string | undefined,
): Record<string, string> {
  const versions: Record<string, string> = { node: process.versions.node }
  for (const name of [...loadTools, ...programs]) {
    const version = tools[name]?.version
    if (version !== undefined) versions[name] = version
  }
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
