/**
 * What the terminal behind stderr can do, decided once from the stream and the environment: NO_COLOR
 * (https://no-color.org), FORCE_COLOR, TERM, CI. chalk alone would ignore NO_COLOR and look at stdout.
 */
import { Chalk, type ChalkInstance } from 'chalk'
import type { Io, Output } from '../io.ts'

export interface Terminal {
  readonly colour: boolean
  /** Colours when `colour`, the bare text otherwise. */
  readonly paint: ChalkInstance
  /** True when rows can be drawn again in place. */
  readonly live: boolean
  /** Now, as the terminal says. 80 when it does not know. */
  columns(): number
  /** Now, as the terminal says. 24 when it does not know. */
  rows(): number
}

type Tty = Output & { readonly rows?: number; getWindowSize?(): [columns: number, rows: number] }

export function terminalOf({ stderr, env }: Pick<Io, 'stderr' | 'env'>): Terminal {
  const tty: Tty = stderr
  const interactive = tty.isTTY === true && env.TERM !== 'dumb' && !isSet(env.CI)
  const colour = forcedColour(env.FORCE_COLOR) ?? (interactive && !env.NO_COLOR)
  return {
    colour,
    paint: new Chalk({ level: colour ? 1 : 0 }),
    live: interactive,
    columns: () => windowSize(tty)?.[0] || tty.columns || 80,
    rows: () => windowSize(tty)?.[1] || tty.rows || 24,
  }
}

function forcedColour(force: string | undefined): boolean | undefined {
  return force === undefined ? undefined : force !== '0' && force !== 'false'
}

function isSet(variable: string | undefined): boolean {
  return variable !== undefined && variable !== '' && variable !== '0' && variable !== 'false'
}

/** Asked, and not taken from `columns`, which is behind until SIGWINCH has been handled. Undefined when it is gone. */
function windowSize(tty: Tty): [number, number] | undefined {
  try {
    return tty.getWindowSize?.()
  } catch {
    return undefined
  }
}
