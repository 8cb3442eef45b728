/** Time for what is only shown: its timers never keep the process alive. */
import { type Clock, systemClock } from '../../clock.ts'

export const displayClock: Clock = {
  now: systemClock.now,
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs).unref()
    return () => clearTimeout(timer)
  },
  defer: systemClock.defer,
}
