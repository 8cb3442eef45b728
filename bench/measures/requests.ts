import { Child } from '../child.ts'
import { type Measure, wholeSeconds } from './measure.ts'

/** HTTP requests with keep-alive over `connections` connections, each sent when the answer before has come. */
export function requests(connections: number, aim?: number): Measure {
  return {
    service: 'http',
    tool: 'wrk',
    figures: [
      {
        id: `requests-${connections}`,
        label: `HTTP requests, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
        unit: '1/s',
        better: 'more',
        ...(aim === undefined ? {} : { aim }),
      },
    ],
    run: async (port, bench) => {
      const seconds = wholeSeconds(bench)
      const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, `http://127.0.0.1:${port}/`]
      const wrk = new Child('wrk', bench.tools.wrk?.path ?? 'wrk', args)
      const code = await wrk.finished((seconds + 15) * 1000)
      const [, rate] = /^Requests\/sec:\s+([\d.]+)/m.exec(wrk.stdout) ?? []
      if (code !== 0 || rate === undefined) throw new Error(`wrk ${wrk.end}`)
      const [wrong] = /Socket errors: .*|Non-2xx or 3xx responses: .*/.exec(wrk.stdout) ?? []
      if (wrong !== undefined) throw new Error(wrong)
      return [Number(rate)]
    },
  }
}
