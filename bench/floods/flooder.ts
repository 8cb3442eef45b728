/** A process that floods: `flooder.ts KIND PORT TOKEN-FILE`. Answers every message with how often it has done it. */
import { readFileSync } from 'node:fs'
import { floods } from './kinds.ts'

const [id, port, tokenFile = ''] = process.argv.slice(2)
const flood = floods.find(each => each.id === id)
if (flood === undefined) throw new Error(`there is no flood ${id}`)
let times = 0
process.on('disconnect', () => process.exit())
process.on('message', () => process.send?.({ times }))
process.send?.({ times })
await flood.run({ port: Number(port), token: readFileSync(tokenFile, 'utf8').trim() }, more => {
  times += more
})
