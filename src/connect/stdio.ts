/**
 * `--stdio`: one stream to one target, joined to the process's own input and output. End of input becomes FIN, the
 * service's end ends the output, and nothing else is ever written there.
 */
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../clock.ts'
import { asTunnelError, TunnelError } from '../errors.ts'
import type { Stream } from '../mux/stream.ts'
import { pump } from '../net/splice.ts'

export interface StdioOptions {
  readonly stream: Stream
  readonly input: Readable
  /** Must accept `end()`. */
  readonly output: Writable
  readonly clock: Clock
}

/**
 * After the service's end, input that still flows is passed on; input that is silent this long is not waited for, or a
 * terminal would keep the process for ever.
 */
const SILENT_INPUT_MS = 500

/**
 * Resolves when the service has ended its side and the input has ended too, or has fallen silent.
 * @throws TunnelError why the stream was reset, or PEER_RESET when the output is closed by its reader
 */
export function runStdio({ stream, input, output, clock }: StdioOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let cancel = () => {}
    // Kept here: a stdout that is a file forgets that it has finished.
    const written = new Promise<void>(done => output.once('finish', done))
    const finish = (error?: TunnelError) => {
      cancel()
      input.off('data', listenForSilence)
      input.unpipe(stream)
      input.destroy()
      if (error === undefined) resolve()
      else reject(error)
    }
    const listenForSilence = () => {
      cancel()
      cancel = clock.after(SILENT_INPUT_MS, () => {
        // Input that waits for credit is not silent.
        if (stream.writableLength > 0) return listenForSilence()
        stream.end()
      })
    }
    stream.on('error', error => finish(asTunnelError(error)))
    stream.on('close', () => {
      if (!stream.readableEnded) return finish(new TunnelError('GONE', 'the connection was closed before its end'))
      // Its last bytes may still be on their way out.
      void written.then(() => finish())
    })
    stream.on('end', () => {
      output.end()
      if (stream.writableEnded) return
      listenForSilence()
      input.on('data', listenForSilence)
    })
    input.on('error', error => stream.reset(new TunnelError('PEER_RESET', `cannot read the input: ${error.message}`)))
    output.on('error', () => stream.reset(new TunnelError('PEER_RESET', 'the output was closed by its reader')))
    input.pipe(stream)
    pump(stream, output)
  })
}
