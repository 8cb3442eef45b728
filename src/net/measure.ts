/** How much a path carries: what gateway and agent answer themselves, so that `tunnelctl doctor` can say (protocol.md, "Measuring"). */
import type { Readable, Writable } from 'node:stream'
import { giveBack } from '../slab.ts'
import type { Target } from './target.ts'

/** The service that an agent is itself. Kubernetes gives no service a name that begins with a digit (RFC 1035). */
export const measureTarget: Target = { service: '0', namespace: '0', port: 'measure', protocol: 'tcp' }

export const isMeasure = ({ service, namespace, port }: Target): boolean =>
  service === measureTarget.service && namespace === measureTarget.namespace && port === measureTarget.port

/** The first byte of a stream to it: whether the asker wants to receive, or to send. */
export const MeasureWay = { DOWN: 0x64, UP: 0x75 } as const

/** Nobody gets or brings more with one request. */
export const MAX_MEASURE_BYTES = 64 * 1024 * 1024
/** At a time, in one process. */
export const MAX_MEASURES = 4

const block = Buffer.alloc(64 * 1024)

/** Writes as much as goes, up to MAX_MEASURE_BYTES and while `goOn` says so, and ends `to`. */
export function pour(to: Writable, goOn: () => boolean = () => true): void {
  let sent = 0
  const write = (): void => {
    while (sent + block.length < MAX_MEASURE_BYTES && goOn() && !to.destroyed) {
      sent += block.length
      if (!to.write(block)) return void to.once('drain', write)
    }
    to.end()
  }
  write()
}

/** Reads `from` to its end, and tells how many bytes there were; stops it at MAX_MEASURE_BYTES. */
export function count(from: Readable, counted: (bytes: number) => void): void {
  let bytes = 0
  from.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    giveBack(chunk)
    if (bytes > MAX_MEASURE_BYTES) from.destroy()
  })
  from.on('end', () => counted(bytes))
}
