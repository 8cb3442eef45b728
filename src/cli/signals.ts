/** How a long-running command ends: by a signal, or with the npx that started it. */

export interface Shutdown {
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** True once a signal has asked for the end. */
  readonly interrupted: () => boolean
  /** Stops listening for signals. */
  release(): void
}

const PARENT_POLL_MS = 1_000

/** The first signal asks for an orderly end; the second ends the process at once with 128 + its number. */
export function shutdownOnSignals(): Shutdown {
  const controller = new AbortController()
  const ask = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143)
    controller.abort(name)
  }
  process.on('SIGINT', ask)
  process.on('SIGTERM', ask)
  const stopPolling = endWithNpx(() => ask('SIGTERM'))
  return {
    signal: controller.signal,
    interrupted: () => controller.signal.aborted,
    release() {
      process.off('SIGINT', ask)
      process.off('SIGTERM', ask)
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
