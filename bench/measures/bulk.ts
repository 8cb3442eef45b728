import { setTimeout as sleep } from 'node:timers/promises'
import { Child } from '../child.ts'
import { type Bench, type Measure, wholeSeconds } from './measure.ts'

interface IperfReport {
  readonly error?: string
  readonly end?: { readonly sum_received?: { readonly bits_per_second: number; readonly bytes: number } }
}

/** What arrives when one end sends as fast as it can, over `streams` connections at once. */
export function bulk(direction: 'up' | 'down', streams: number): Measure {
  const name = `bulk ${direction}, ${streams} ${streams === 1 ? 'stream' : 'streams'}`
  const id = `bulk-${direction}-${streams}`
  return {
    service: 'iperf',
    tool: 'iperf3',
    figures: [
      {
        id,
        label: name,
        unit: 'Gbit/s',
        better: 'more',
        aims: { plain: { ratio: 1.2 }, tls: { ratio: 0.9 } },
      },
    ],
    cost: { id: `cpu-${id}`, label: name, unit: 's/GB', better: 'less' },
    run: async (port, bench) => {
      for (let attempt = 1; ; attempt++) {
        const report = await iperf(port, direction, streams, bench)
        const { bits_per_second: rate = 0, bytes = 0 } = report.end?.sum_received ?? {}
        if (report.error === undefined && rate > 0) return { values: [rate / 1e9], done: bytes / 1e9 }
        // Through a chain, the server hears of the end of the test before a moment later.
        if (attempt === 5 || !report.error?.includes('busy')) throw new Error(report.error ?? 'nothing was received')
        await sleep(200)
      }
    },
  }
}

async function iperf(port: number, direction: 'up' | 'down', streams: number, bench: Bench): Promise<IperfReport> {
  const seconds = wholeSeconds(bench)
  const args = ['-c', '127.0.0.1', '-p', String(port), '-t', String(seconds), '-P', String(streams), '-J']
  const client = new Child('iperf3', bench.tools.iperf3?.path ?? 'iperf3', [
    ...args,
    ...(direction === 'down' ? ['-R'] : []),
  ])
  await client.finished((seconds + 15) * 1000)
  try {
    return JSON.parse(client.stdout) as IperfReport
  } catch {
    throw new Error(`iperf3 ${client.end}`)
  }
}
