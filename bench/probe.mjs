// Preloaded into Node processes whose memory is measured: collects garbage and answers with what is left.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

process.on('message', message => {
  if (message !== 'memory') return
  collect()
  collect()
  process.send?.(process.memoryUsage())
})
process.on('disconnect', () => process.exit())
process.channel?.unref()
