import { Child } from '../child.ts'
import type { ServiceName } from '../services.ts'
import { type Aims, type Bench, type Measure, wholeSeconds } from './measure.ts'

/** More of it for who has opened none of the connections in time. What passes until they are open counts. */
const patienceSeconds = 10

export interface Asked {
  readonly service: ServiceName
  readonly path: string
  /** Absent: the address. */
  readonly host?: string | undefined
}

const usual: Asked = { service: 'http', path: '/' }

/** HTTP requests with keep-alive over `connections` connections, each sent when the answer before has come. */
export function requests(connections: number, aims: Aims, { service, path, host }: Asked = usual): Measure {
  const over = `${connections} ${connections === 1 ? 'connection' : 'connections'}`
  const name = `HTTP requests, ${over}`
  const id = `requests-${connections}`
  return {
    service,
    tool: 'wrk',
    figures: [{ id, label: name, unit: '1/s', better: 'more', aims }],
    cost: { id: `cpu-${id}`, label: name, unit: 's/1,000', better: 'less' },
    run: async (port, bench) => {
      for (const seconds of [wholeSeconds(bench), wholeSeconds(bench) + patienceSeconds]) {
        const { count, rate } = await wrk({ port, path, host }, connections, seconds, bench)
        if (count > 0) return { values: [rate], done: count / 1000 }
      }
      throw new Error(`no answer within ${wholeSeconds(bench) + patienceSeconds} s over ${over}`)
    },
  }
}

/** @throws when an answer was wrong, or a connection failed */
async function wrk(
  { port, path, host }: Pick<Asked, 'path' | 'host'> & { readonly port: number },
  connections: number,
  seconds: number,
  { tools }: Bench,
): Promise<{ count: number; rate: number }> {
  const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`]
  const headers = host === undefined ? [] : ['-H', `Host: ${host}`]
  const child = new Child('wrk', tools.wrk?.path ?? 'wrk', [...args, ...headers, `http://127.0.0.1:${port}${path}`])
  const code = await child.finished((seconds + 15) * 1000)
  const [, rate] = /^Requests\/sec:\s+([\d.]+)/m.exec(child.stdout) ?? []
  const [, count] = /^\s*(\d+) requests in /m.exec(child.stdout) ?? []
  if (code !== 0 || rate === undefined || count === undefined) throw new Error(`wrk ${child.end}`)
  const [wrong] = /Socket errors: .*|Non-2xx or 3xx responses: .*/.exec(child.stdout) ?? []
  if (wrong !== undefined) throw new Error(wrong)
  return { count: Number(count), rate: Number(rate) }
}
