/** Asks the gateway for its directory in a process of its own, which outlives the TAB that started it. */
import { spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { Writable } from 'node:stream'
import { formatTarget } from '../../net/target.ts'
import type { Io } from '../io.ts'
import { makeOwnFolder } from '../own-folder.ts'
import { type CachedTarget, modifiedAt, readCache, writeCache } from './cache.ts'

/** One at a time; one that is older than this was killed. */
const LOCK_MS = 10_000
/** After a failure it is not asked again for this long; what was known stays. */
const RETRY_MS = 25_000

export function startRefresh(file: string, env: NodeJS.ProcessEnv): void {
  const [, program = ''] = process.argv
  const child = spawn(process.execPath, [program, '__refresh', file], {
    detached: true,
    stdio: 'ignore',
    windowsHide: true,
    env,
  })
  child.on('error', () => {})
  child.unref()
}

/** `tunnelctl __refresh FILE`. Never rejects. */
export async function refresh(file: string, io: Io): Promise<number> {
  const lock = `${file}.lock`
  try {
    makeOwnFolder(dirname(file))
    if (Date.now() - modifiedAt(lock) > LOCK_MS) rmSync(lock, { force: true })
    closeSync(openSync(lock, 'wx', 0o600))
  } catch {
    return 0
  }
  try {
    const targets = await ask(io)
    if (targets !== undefined) writeCache(file, { at: Date.now(), targets })
    else writeCache(file, { at: Date.now() - RETRY_MS, targets: readCache(file)?.targets ?? [] })
  } catch {
    // A cache that cannot be written is no cache.
  } finally {
    rmSync(lock, { force: true })
  }
  return 0
}

async function ask({ env, stdin }: Io): Promise<CachedTarget[] | undefined> {
  const { runProgram } = await import('../program.ts')
  let text = ''
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  const stderr = new Writable({ write: (_chunk, _encoding, done) => done() })
  const code = await runProgram(['services', '-A', '-o', 'json'], { env, stdin, stdout, stderr })
  if (code !== 0) return undefined
  const services = JSON.parse(text) as { agent: string; service: string; namespace: string; ports: Port[] }[]
  return services.flatMap(({ agent, service, namespace, ports }) =>
    ports.map(port => ({ agent, namespace, target: formatTarget({ service, namespace, ...port }) })),
  )
}

interface Port {
  readonly port: number | string
  readonly protocol: 'tcp' | 'udp'
}
