/** The load process: runs one job at a time for the bench and answers with its result. */
import { jobs } from './jobs.ts'

process.on('disconnect', () => process.exit())
process.on('message', (message: { job: keyof typeof jobs; argument: never }) => {
  jobs[message.job](message.argument).then(
    result => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  )
})
process.send?.('ready')
