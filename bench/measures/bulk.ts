import { setTimeout as sleep } from 'node:timers/promises'
import { Child } from '../child.ts'
import { type Bench, type Measure, wholeSeconds } from './measure.ts'

interface IperfReport {
  readonly error?: string
  readonly end?: { readonly sum_received?: { readonly bits_per_second: number } }
}

/** What arrives when one end sends as fast as it can, over `streams` connections at once. */
export function bulk(direction: 'up' | 'down', streams: number): Measure {
  return {
    service: 'iperf',
    tool: 'iperf3',
    figures: [
      {
        id: `bulk-${direction}-${streams}`,
        label: `bulk ${direction}, ${streams} ${streams === 1 ? 'stream' : 'streams'}`,
        unit: 'Gbit/s',
        better: 'more',
        aim: 1.1,
      },
    ],
    run: async (port, bench) => {
      for (let attempt = 1; ; attempt++) {
        const report = await iperf(port, direction, streams, bench)
        const received = report.end?.sum_received?.bits_per_second
        if (report.error === undefined && received !== undefined && received > 0) return [received / 1e9]
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
