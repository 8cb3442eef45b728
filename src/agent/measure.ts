/** The agent as a service of its own: it sends as much as goes, or counts what comes (protocol.md, "Measuring"). */
import type { Stream } from '../mux/stream.ts'
import { count, MeasureWay, pour } from '../net/measure.ts'

/** Resolves when the stream is closed. */
export function serveMeasure(stream: Stream): Promise<void> {
  stream.accept(0)
  stream.on('error', () => {})
  stream.once('data', (chunk: Buffer) => {
    if (chunk[0] === MeasureWay.DOWN) pour(stream)
  })
  count(stream, bytes => stream.end(String(bytes)))
  return new Promise(resolve => {
    if (stream.closed) resolve()
    else stream.once('close', resolve)
  })
}
