/** `connect … -- COMMAND`: runs a command beside the forwards, as `env` and `ssh-agent` do, and ends with it. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { TunnelError } from '../errors.ts'
import { parseHostPort } from '../net/listen.ts'
import { quote } from '../net/quote.ts'

/** After SIGTERM, before SIGKILL. */
const PATIENCE_MS = 5_000

/** Where a program reaches a forward; a Unix socket is its path, and has no port. */
export interface Local {
  readonly host: string
  readonly port: string
}

/** @param text as `connect` prints it: `127.0.0.1:5432`, `unix:/run/db.sock` */
export function localFrom(text: string): Local {
  if (text.startsWith('unix:')) return { host: text.slice('unix:'.length), port: '' }
  const { host, port } = parseHostPort(text)
  // What listens on every address is reached on loopback.
  return { host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port: String(port) }
}

/**
 * The command with `{host}` and `{port}` of the first forward in place, `{host2}` and `{port2}` of the second, and so on.
 * @throws TunnelError USAGE when it names a forward that is not there
 */
export function fillIn(command: readonly string[], locals: readonly Local[]): string[] {
  return command.map(word =>
    word.replace(/\{(host|port)([1-9][0-9]*)?\}/g, (placeholder, what: string, number = '1') => {
      const local = locals[Number(number) - 1]
      const filled = what === 'host' ? local?.host : local?.port
      if (filled) return filled
      const targets = locals.length === 1 ? 'there is one target' : `there are ${locals.length} targets`
      const why = local === undefined ? targets : 'a Unix socket has no port'
      throw new TunnelError('USAGE', `${quote(placeholder)} stands for nothing: ${why}`)
    }),
  )
}

/** The same for programs that look into their environment: TUNNELCTL_HOST, TUNNELCTL_PORT, TUNNELCTL_HOST2 and so on. */
export function environmentOf(locals: readonly Local[]): Record<string, string> {
  const all = locals.flatMap(({ host, port }, index) => {
    const number = index === 0 ? '' : String(index + 1)
    return [
      [`TUNNELCTL_HOST${number}`, host],
      [`TUNNELCTL_PORT${number}`, port],
    ]
  })
  return Object.fromEntries(all)
}

/**
 * Runs `command` with the terminal of this process, and resolves with its exit code when it has ended: 128 and the number of the
 * signal when one ended it. Signals to this process go on to it, except those that a terminal sends to both.
 * @param stop ends it, politely first
 * @throws TunnelError COMMAND when it cannot be started
 */
export function runCommand(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  { stop }: { readonly stop: AbortSignal },
): Promise<number> {
  const [program = '', ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env })
    const terminal = isatty(0)
    const passOn = (signal: NodeJS.Signals) => {
      if (!(terminal && signal === 'SIGINT')) child.kill(signal)
    }
    let kill: NodeJS.Timeout | undefined
    const end = () => {
      child.kill('SIGTERM')
      kill ??= setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
    }
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
    for (const signal of signals) process.on(signal, passOn)
    stop.addEventListener('abort', end, { once: true })
    const finish = () => {
      clearTimeout(kill)
      stop.removeEventListener('abort', end)
      for (const signal of signals) process.off(signal, passOn)
    }
    child.once('error', (cause: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return
      finish()
      const why = cause.code === 'ENOENT' ? 'there is no such command' : (cause.code ?? cause.message)
      reject(new TunnelError('COMMAND', `cannot run ${quote(program)}: ${why}`, { cause }))
    })
    child.once('exit', (code, signal) => {
      finish()
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
    })
    if (stop.aborted) end()
  })
}
