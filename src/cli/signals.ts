/** How a long-running command ends: by a signal, or with the npx that started it. */
import { constants } from 'node:os'

export interface Shutdown {
  /** Aborts at the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal
  /** True once a signal has asked for the end. */
  readonly interrupted: () => boolean
  /** Stops listening for signals. */
  release(): void
}

const PARENT_POLL_MS = 1_000

/** SIGHUP comes from a closed terminal, and from ssh, which ends its ProxyCommand with it. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The first signal asks for an orderly end; the second ends the process at once with 128 + its number. */
export function shutdownOnSignals(): Shutdown {
  const controller = new AbortController()
  const ask = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(128 + constants.signals[name])
    controller.abort(name)
  }
  for (const name of endings) process.on(name, ask)
  const stopPolling = endWithNpx(() => ask('SIGTERM'))
  return {
    signal: controller.signal,
    interrupted: () => controller.signal.aborted,
    release() {
      for (const name of endings) process.off(name, ask)
      stopPolling()
    },
  }
}

/** A killed npx takes no child with it and passes no signal on: the new parent is how the child finds out. */
function endWithNpx(ended: () => void): () => void {
  if (process.env.npm_command !== 'exec') return () => {}
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid !== parent) ended()
  }, PARENT_POLL_MS).unref()
  return () => clearInterval(timer)
}
