import type { TunnelError } from '../errors.ts'

/** The path of one session over one carrier, as its session sees it. */
export interface Route {
  readonly id: number
  /** Queues one message, which must carry `id` and goes on in `rest`. Nothing happens once the route is lost. */
  send(message: Buffer, rest?: readonly Buffer[]): void
  /** Bytes that the carrier has not sent yet, of all its routes. */
  readonly bufferedBytes: number
  /** Bytes handed to the carrier since its beginning, of all its routes; all but `bufferedBytes` have left. */
  readonly sentBytes: number
  /** Asks for one call of `drain` when the carrier has room again. Routes that ask are served in turn. */
  wantDrain(): void
  /** Forgets the route: nothing is delivered any more. The peer is not told. */
  close(): void
}

export interface RouteHandler {
  /** One message with this route's id, which goes on in `rest`. The handler owns it. */
  message(message: Buffer, rest?: readonly Buffer[]): void
  drain(): void
  /** The carrier died under the route. Called at most once, and never after `close`. */
  lost(error: TunnelError): void
}
