/** How a long-running command ends: by a signal, or with the npx that started it. */
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { endWithNpx } from './npx.ts'

export interface Shutdown {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal
  /** Aborts with it, unless it was SIGTERM, which leaves time to drain: whoever is at the keyboard does not want to wait. */
  readonly endNow: AbortSignal
  /** True once a signal has asked for the end. */
  readonly interrupted: () => boolean
  /** Stops listening for signals. */
  release(): void
}

const HANG_UP_MS = 1_000

/** SIGHUP comes from a closed terminal, and from ssh, which ends its ProxyCommand with it. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * The first signal asks for an orderly end; the second ends the process at once with 128 + its number.
 * @param hungUp what SIGHUP does instead, as long as there is still the terminal that there was, or never was one
 */
export function shutdownOnSignals(hungUp?: () => void): Shutdown {
  const controller = new AbortController()
  const now = new AbortController()
  const ask = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(128 + constants.signals[name])
    if (name !== 'SIGTERM') now.abort()
    controller.abort(name)
  }
  const heard = hungUp === undefined ? ask : unlessHungUp(ask, hungUp)
  for (const name of endings) process.on(name, heard)
  const stopPolling = endWithNpx(() => ask('SIGTERM'))
  return {
    signal: controller.signal,
    endNow: now.signal,
    interrupted: () => controller.signal.aborted,
    release() {
      for (const name of endings) process.off(name, heard)
      stopPolling()
    },
  }
}

/**
 * The kernel hangs a terminal up before it sends SIGHUP for it; a shell that exits sends it first. So the terminal is looked
 * at now, and once more soon.
 */
function unlessHungUp(ask: (name: NodeJS.Signals) => void, hungUp: () => void): (name: NodeJS.Signals) => void {
  const terminals = [0, 1, 2].filter(fd => isatty(fd))
  const gone = () => process.platform === 'win32' || terminals.some(fd => !isatty(fd))
  return name => {
    if (name !== 'SIGHUP' || gone()) return ask(name)
    hungUp()
    setTimeout(() => {
      if (gone()) ask(name)
    }, HANG_UP_MS).unref()
  }
}
