import { Child } from '../child.ts'
import { type Aims, type Measure, wholeSeconds } from './measure.ts'

/** HTTP requests with keep-alive over `connections` connections, each sent when the answer before has come. */
export function requests(connections: number, aims: Aims): Measure {
  const name = `HTTP requests, ${connections} ${connections === 1 ? 'connection' : 'connections'}`
  const id = `requests-${connections}`
  return {
    service: 'http',
    tool: 'wrk',
    figures: [{ id, label: name, unit: '1/s', better: 'more', aims }],
    cost: { id: `cpu-${id}`, label: name, unit: 's/1,000', better: 'less' },
    run: async (port, bench) => {
      const seconds = wholeSeconds(bench)
      const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, `http://127.0.0.1:${port}/`]
      const wrk = new Child('wrk', bench.tools.wrk?.path ?? 'wrk', args)
      const code = await wrk.finished((seconds + 15) * 1000)
      const [, rate] = /^Requests\/sec:\s+([\d.]+)/m.exec(wrk.stdout) ?? []
      const [, count] = /^\s*(\d+) requests in /m.exec(wrk.stdout) ?? []
      if (code !== 0 || rate === undefined || count === undefined) throw new Error(`wrk ${wrk.end}`)
      const [wrong] = /Socket errors: .*|Non-2xx or 3xx responses: .*/.exec(wrk.stdout) ?? []
      if (wrong !== undefined) throw new Error(wrong)
      // A contender that opens one connection after the other may still be at it: that is no rate.
      if (count === '0') throw new Error(`no answer within ${seconds} s over ${connections} connections`)
      return { values: [Number(rate)], done: Number(count) / 1000 }
    },
  }
}
