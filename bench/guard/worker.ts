/** The process that is counted: does the workload that its argument names. */
import { loadavg } from 'node:os'
import { COUNTED_CALLS, counted, idle, WARM_CALLS } from './workload.ts'

const [, , id] = process.argv
if (id === idle.id) {
  process.stdout.write(`${await idle.run()}\n`)
} else {
  const workload = counted.find(each => each.id === id)
  if (workload === undefined) throw new Error(`no workload ${id}`)
  for (let call = 0; call < WARM_CALLS; call++) await workload.run()
  // The garbage of the beginning is not counted.
  globalThis.gc?.()
  // Callgrind sees this function of Node's library, and counts from here on (callgrind.ts).
  loadavg()
  for (let call = 0; call < COUNTED_CALLS; call++) await workload.run()
}
