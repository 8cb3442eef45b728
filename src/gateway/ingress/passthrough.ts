/** A TLS connection that goes to its service as it is: the gateway sees the host that it asks for, and nothing more. */
import type { Socket } from 'node:net'
import { TunnelError } from '../../errors.ts'
import { inRanges } from '../../net/cidr.ts'
import { splice } from '../../net/splice.ts'
import type { Registry } from '../registry.ts'
import { chooseAgent } from './choice.ts'
import { clientAddress } from './client-address.ts'
import { Failure } from './failure.ts'
import type { Exchanger } from './plan.ts'
import type { RequestRecord } from './record.ts'
import type { Route } from './routes.ts'
import type { Uplinks } from './uplinks.ts'

export interface PassthroughOptions extends Pick<Exchanger, 'patience' | 'totals'> {
  readonly registry: Registry
  readonly uplinks: Uplinks
}

const LEFT = new TunnelError('GONE', 'the client has left')

/**
 * Resolves when the connection is over.
 * @param socket half-open, with an `error` listener, from which nobody reads
 * @throws Failure, TunnelError when the service is not reached; the caller ends the socket, to which nothing can be said
 */
export async function passTls(
  { registry, uplinks, patience, totals }: PassthroughOptions,
  socket: Socket,
  route: Route,
  record: RequestRecord,
): Promise<void> {
  const { target, allowed, idleTimeoutMs } = route
  const address = clientAddress(socket)
  record.target = target
  if (allowed !== undefined && !inRanges(allowed, address)) {
    throw new Failure(403, 'ADDRESS', 'The service may not be reached from this address.')
  }
  record.agent = chooseAgent(registry, route)
  record.transition('opening')
  const gone = new AbortController()
  const leave = () => gone.abort(LEFT)
  socket.once('close', leave)
  const stream = await uplinks.open(record.agent, target, gone.signal)
  socket.off('close', leave)
  record.connected = true
  record.transition('upgraded')
  record.upgrade = 'tls'
  totals.upgraded++
  const idle = patience.watch(
    idleTimeoutMs,
    () => {
      record.code = 'IDLE'
      stream.destroy()
    },
    () => stream.bytesSent + stream.bytesReceived,
  )
  await splice(socket, stream, 'the client')
  idle.release()
  totals.upgraded--
  record.bytesIn = stream.bytesSent
  record.bytesOut = stream.bytesReceived
}
