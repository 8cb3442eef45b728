/** What others may take of a gateway. docs/security.md says of each why it is as it is. */
export interface GatewayLimits {
  /** Connections in all, with TLS or without; further ones are closed as they come. */
  readonly connections: number
  readonly connectionsPerAddress: number
  /** From one address, of which nobody knows yet who they are; a further one ends the oldest, or is closed itself. */
  readonly arrivalsPerAddress: number
  /** For the handshake of TLS, the head of a request, and HELLO; each. */
  readonly arrivalMs: number
  /** How long a carrier may take nothing of what waits for it. */
  readonly stuckMs: number
  /** Of one subject in one role. */
  readonly carriersPerSubject: number
  readonly sessionsPerCarrier: number
  /** How often carriers of one subject may come; twice as many as it may have at once. */
  readonly comingsPerSecond: number
  /** Work of one subject that connects (pace.ts); more of it waits. */
  readonly workPerSecond: number
  /** Bytes that wait in the queues of all routes. */
  readonly queuedBytes: number
  /** Bytes that the ingress holds for clients and services that take nothing. */
  readonly ingressBytes: number
}

const MIB = 1024 * 1024

export const defaultGatewayLimits: GatewayLimits = {
  connections: 32_768,
  connectionsPerAddress: 8_192,
  arrivalsPerAddress: 2_048,
  arrivalMs: 10_000,
  stuckMs: 60_000,
  carriersPerSubject: 64,
  sessionsPerCarrier: 16,
  comingsPerSecond: 10,
  workPerSecond: 200_000,
  queuedBytes: 192 * MIB,
  ingressBytes: 192 * MIB,
}
