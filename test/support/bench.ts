/** Scripts of the bench as processes, each with a folder of its own, so that a file or folder left behind is seen. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface BenchEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** What is still there of what it made. */
  readonly left: readonly string[]
}

/** @param script below bench/ */
export function bench(script: string, ...args: string[]): { process: ChildProcess; ended: Promise<BenchEnd> } {
  const folder = mkdtempSync(join(tmpdir(), 'bench-test-'))
  const program = fileURLToPath(new URL(`../../bench/${script}`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', chunk => {
    stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', chunk => {
    stderr += chunk
  })
  const ended = new Promise<BenchEnd>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => {
      const left = readdirSync(folder).filter(name => name.startsWith('tunnelctl-bench-'))
      rmSync(folder, { recursive: true, force: true })
      resolve({ code, stdout, stderr, left })
    })
  })
  return { process: child, ended }
}
