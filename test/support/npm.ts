/** The package as its users get it: packed, and installed into an empty folder without a network. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { makeFolder, removeFolder } from './processes.ts'
import type { Scope } from './tunnel.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The settings that an npm around the tests has put into the environment, unset; and no network. */
export const npmEnv: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(
    Object.keys(process.env)
      .filter(name => /^(npm_|NODE_|INIT_CWD)/i.test(name))
      .map(name => [name, undefined]),
  ),
  npm_config_offline: 'true',
}

/** Runs one of npm's programs to its end, and gives what it said. */
export async function npm(program: 'npm' | 'npx', args: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, ...npmEnv }
  const shell = process.platform === 'win32'
  const { stdout } = await promisify(execFile)(program, [...args], { cwd, env, shell, encoding: 'utf8' })
  return stdout
}

export interface Packed {
  readonly tarball: string
  /** What is in it. */
  readonly files: readonly string[]
}

export async function pack(folder: string): Promise<Packed> {
  // Without scripts: the bundle was built before the tests, and others use it now.
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const [packed] = JSON.parse(await npm('npm', args, root)) as { filename: string; files: { path: string }[] }[]
  assert.ok(packed)
  return { tarball: join(folder, packed.filename), files: packed.files.map(({ path }) => path) }
}

export async function install(tarball: string, folder: string): Promise<void> {
  await npm('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', tarball], folder)
}

/** A folder where `npx --no-install tunnelctl` is the packed one. */
export async function installed(scope: Scope): Promise<string> {
  const folder = makeFolder()
  scope.after(() => removeFolder(folder))
  const { tarball } = await pack(folder)
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  await install(tarball, empty)
  return empty
}
