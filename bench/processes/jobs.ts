/** What the load process can do. Each job rejects when a connection fails or a byte is wrong. */
import { exchangeJobs } from './exchanges.ts'
import { flowJobs } from './flow.ts'
import { heldJobs } from './held.ts'
import { latencyJobs } from './latency.ts'
import { pouringJobs } from './pouring.ts'
import { transferJobs } from './transfer.ts'
import { webSocketJobs } from './websockets.ts'

export const jobs = {
  ...latencyJobs,
  ...heldJobs,
  ...transferJobs,
  ...flowJobs,
  ...pouringJobs,
  ...exchangeJobs,
  ...webSocketJobs,
}
