/**
 * How soon bytes flow again when the gateway is back. While numbers that count up go there and back through the
 * contender, what stands in the middle is killed and, after an outage, started again. The gap lasts from the moment in
 * which the new process accepts connections, as it says itself, to the first byte that comes back after that. The
 * connection is the same from the first number to the last, and every byte of it is compared.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Running } from '../contenders/contender.ts'
import type { Load } from '../load.ts'
import type { Reading } from '../result.ts'
import { always, type Figure } from './measure.ts'

interface Restart {
  /** From the death of the process to the start of the next one. */
  readonly outageMs: number
  readonly gapMs: number
}

const unit = { unit: 'ms', better: 'less' } as const

/** The gaps of all restarts. */
export const resumeFigure: Figure = {
  id: 'resume-gap',
  label: 'resume gap after kill -9, gateway back up to bytes flowing',
  ...unit,
  aims: always({ value: 500 }),
}

/** Over and over. In the longer ones the ends try, and fail, more often; there are few, for they take their time. */
const outagesMs = [0, 500, 2_000, 0, 500, 5_000, 0, 500, 0]

/** Longer than an end may wait between two tries. */
const mostMs = 30_000

/**
 * How long bytes flow before the next kill: longer than the ends doubt a new carrier, so that each restart is a first
 * loss, as it is for a user, and not one of a gateway that crashes again and again.
 */
const usualFlowMs = 1_100

/**
 * Does not stop the contender.
 * @param restart of `running`
 * @throws when a byte is wrong, the connection is lost, or nothing flows in time
 */
export async function measureResume(
  { ports }: Running,
  restart: NonNullable<Running['restart']>,
  load: Pick<Load, 'run'>,
  restarts: number,
  flowMs = usualFlowMs,
): Promise<Reading[]> {
  const { echo: port } = ports
  if (port === undefined) throw new Error('no way to the echo service')
  const patience = { timeoutMs: mostMs }
  const done: Restart[] = []
  try {
    await load.run('flow', { port })
    for (let index = 0; index < restarts; index++) {
      const outageMs = outagesMs[index % outagesMs.length] ?? 0
      await load.run('caughtUp', patience, mostMs + 1_000)
      await sleep(flowMs)
      const after = await restart(outageMs)
      const arrival = await load.run('arrival', { after, ...patience }, mostMs + 1_000)
      done.push({ outageMs, gapMs: arrival - after })
    }
    const bytes = await load.run('endFlow', patience, mostMs + 1_000)
    const note = `${restarts} restarts, ${bytes.toLocaleString('en-US')} bytes exact`
    const readings = [{ figure: resumeFigure, values: done.map(({ gapMs }) => gapMs), note }]
    return [...readings, ...byOutage(done)]
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Error(`${message} (${done.length} of ${restarts} restarts measured)`)
  } finally {
    await load.run('dropFlow', {}).catch(() => undefined)
  }
}

function byOutage(done: readonly Restart[]): Reading[] {
  const outages = [...new Set(done.map(({ outageMs }) => outageMs))].sort((a, b) => a - b)
  return outages.map(outage => ({
    figure: { id: `resume-gap-${outage}`, label: `resume gap, outages of ${outage / 1000} s`, ...unit },
    values: done.filter(({ outageMs }) => outageMs === outage).map(({ gapMs }) => gapMs),
  }))
}
