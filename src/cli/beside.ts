/** `connect … -- COMMAND`: the forwards, and the command that lives beside them. */
import type { Connect, LocalForward } from '../connect/connect.ts'
import type { ProxyAt } from '../connect/proxy.ts'
import { TunnelError } from '../errors.ts'
import type { Forward } from '../net/target.ts'
import { environmentOf, fillIn, localFrom, runCommand } from './exec.ts'
import { ExitWith } from './exit.ts'
import type { Io } from './io.ts'
import { endWithNpx } from './npx.ts'
import type { ConnectOutput } from './output/sink.ts'
import { writeReadyFile } from './ready-file.ts'
import { shutdownOnSignals } from './signals.ts'

/** What is to be open, and who is told. */
export interface Forwarding {
  readonly forwards: readonly (Forward | ProxyAt)[]
  readonly output: ConnectOutput
  readonly readyFile: string | undefined
}

/** The command hears the signals, and decides what they mean. Its end is the end of the forwards, and theirs is its own. */
export async function runBeside(connect: Connect, how: Forwarding, command: readonly string[], io: Io): Promise<void> {
  const { forwards, output, readyFile } = how
  // Before anything is opened: a wrong placeholder is told at once.
  fillIn(
    command,
    forwards.map(each => ({ host: '-', port: 'path' in each ? '' : '-' })),
  )
  const shutdown = shutdownOnSignals()
  const [ended, lost] = [new AbortController(), new AbortController()]
  const stopPolling = endWithNpx(() => lost.abort())
  let running: Promise<number> | undefined
  let removeReadyFile = async () => {}
  try {
    await connect.forward(forwards, AbortSignal.any([shutdown.signal, ended.signal]), async all => {
      removeReadyFile = await announce(readyFile, all)
      shutdown.release()
      const locals = all.map(({ locals: [local = ''] }) => localFrom(local))
      running = runCommand(fillIn(command, locals), { ...io.env, ...environmentOf(locals) }, { stop: lost.signal })
      await running
      ended.abort()
    })
    if (running === undefined) throw new TunnelError('INTERRUPTED', 'interrupted')
    throw new ExitWith(await running)
  } finally {
    lost.abort()
    await running?.catch(() => {})
    await removeReadyFile()
    output.close()
    stopPolling()
    shutdown.release()
  }
}

/** @returns removes what it has written */
export const announce = async (file: string | undefined, all: readonly LocalForward[]): Promise<() => Promise<void>> =>
  file === undefined
    ? async () => {}
    : await writeReadyFile(
        file,
        all.flatMap(({ locals, target }) => locals.map(local => ({ local, target }))),
      )
