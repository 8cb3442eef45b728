/** A user with a home, a shell and a configuration of their own, who has `tunnelctl` installed and shares nothing with this one. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Exit, makeFolder, Process, removeFolder, tunnelctlCommand } from './processes.ts'
import type { Scope } from './tunnel.ts'

/** Readable by this user alone, by name. */
export type Files = Readonly<Record<string, string>>

export class Sandbox {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly #jobs: Process[] = []

  /** @param programs scripts of sh that are found before any program of the machine */
  constructor(scope: Scope, files: Files, programs: Files, env: Readonly<Record<string, string>> = {}) {
    this.folder = makeFolder()
    scope.after(() => this.#end())
    const bin = join(this.folder, 'bin')
    const own = `exec ${tunnelctlCommand.map(word => `'${word}'`).join(' ')} "$@"`
    // Where npx looks before it would ask a registry.
    const packages = join(this.folder, 'node_modules/.bin')
    for (const each of [bin, packages]) mkdirSync(each, { recursive: true })
    for (const [name, text] of Object.entries({ tunnelctl: own, 'kubectl-tunnelctl': own, ...programs })) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    }
    symlinkSync(join(bin, 'tunnelctl'), join(packages, 'tunnelctl'))
    for (const [name, text] of Object.entries(files)) this.write(name, text)
    this.env = {
      HOME: this.folder,
      XDG_CONFIG_HOME: join(this.folder, '.config'),
      XDG_STATE_HOME: join(this.folder, '.local/state'),
      XDG_CACHE_HOME: join(this.folder, '.cache'),
      TUNNELCTL_CONFIG: join(this.folder, '.config/tunnelctl/config.yaml'),
      MANPATH: join(this.folder, 'man'),
      PATH: `${bin}:${process.env.PATH}`,
      npm_config_offline: 'true',
      npm_config_update_notifier: 'false',
      ...env,
    }
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(join(this.folder, name)), { recursive: true })
    writeFileSync(join(this.folder, name), text, { mode: 0o600 })
  }

  /** What a user has typed at a shell, as a job of it. */
  start(line: string, { shell = ['bash', '-c'], input = '' }: Typed = {}): Process {
    const [program = '', ...args] = [...shell, line]
    const job = new Process(line, program, args, { cwd: this.folder, env: this.env, stdin: 'pipe', detached: true })
    job.stdin.end(input)
    this.#jobs.push(job)
    return job
  }

  /** What it has said, once it has ended with 0. */
  async run(line: string, typed?: Typed): Promise<string> {
    const job = this.start(line, typed)
    assert.deepEqual(await job.finished(), { code: 0, signal: null } satisfies Exit, `${line}\n${job.describe()}`)
    return job.stdout + job.stderr
  }

  async #end(): Promise<void> {
    try {
      if (existsSync(join(this.folder, '.local/state/tunnelctl/detached'))) await this.run('tunnelctl stop --all')
    } finally {
      for (const job of this.#jobs) signalJob(job, 'SIGKILL')
      await Promise.all(this.#jobs.map(job => job.kill()))
      removeFolder(this.folder)
    }
  }
}

export interface Typed {
  readonly shell?: readonly string[]
  readonly input?: string
}

/** As Ctrl-C does: to each of its processes. */
export function signalJob(job: Process, signal: NodeJS.Signals): void {
  try {
    process.kill(-job.pid, signal)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown
  }
}

/** Ctrl-C, and nothing that is lost by it: the roles end with 0, connect with 130, and a shell in between by the signal. */
export async function interrupt(job: Process): Promise<void> {
  signalJob(job, 'SIGINT')
  const { code, signal } = await job.finished(10_000)
  assert.ok(code === 0 || code === 130 || signal === 'SIGINT', job.describe())
  assert.doesNotMatch(job.stderr, /^\s+at .*:\d+:\d+/m)
}
