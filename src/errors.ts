/**
 * Every way tunnelctl can fail, in one table. A failure is thrown, sent over the wire, logged and printed as the same
 * `TunnelError`; callers branch on `code`, never on text. docs/errors.md explains each code to its reader.
 */

interface Kind {
  /** Code in RESET and DETACH (docs/protocol.md, "Codes"). Absent: the failure never crosses the wire. */
  readonly wire?: number
  /** WebSocket close code when the failure ends a carrier (docs/protocol.md, "Close codes"). */
  readonly close?: number
  /** Process exit code: 1 failure, 2 usage, 3 unauthenticated or denied, 4 unreachable, 127 no such command, 130 interrupted. */
  readonly exit: 0 | 1 | 2 | 3 | 4 | 127 | 130
  /** True when the same attempt may succeed later without anybody changing anything. */
  readonly retryable?: true
  /** What the person who reads the message can do. */
  readonly hint: string
}

const kinds = {
  // On a stream: they travel in RESET and end one connection.
  INTERNAL: {
    wire: 1,
    close: 1011,
    exit: 1,
    hint: 'this is a bug in tunnelctl: please report it with the log of both ends',
  },
  PROTOCOL: { wire: 2, close: 4400, exit: 1, hint: 'run the same version of tunnelctl at both ends' },
  FLOW_CONTROL: { wire: 3, close: 4400, exit: 1, hint: 'run the same version of tunnelctl at both ends' },
  LIMIT: {
    wire: 4,
    close: 4429,
    exit: 1,
    retryable: true,
    hint: 'close some connections, or raise the limit at the agent',
  },
  DENIED: { wire: 5, exit: 3, hint: 'ask for a token that allows this target' },
  BAD_TARGET: { wire: 6, exit: 2, hint: 'write the target as service/namespace:port, for example db/prod:5432' },
  REFUSED: { wire: 7, exit: 4, hint: 'check that the service is running and listens on this port' },
  UNREACHABLE: {
    wire: 8,
    exit: 4,
    hint: 'check that the service has ready endpoints and that the agent may reach them',
  },
  DNS: { wire: 9, exit: 4, hint: 'check the names of the service and its namespace' },
  DIAL_TIMEOUT: { wire: 10, exit: 4, hint: 'check network policies between the agent and the service' },
  PEER_RESET: { wire: 11, exit: 1, hint: 'the other side aborted this connection' },
  IDLE: { wire: 12, close: 4408, exit: 1, retryable: true, hint: 'nothing was heard for too long' },
  GONE: { wire: 13, exit: 1, hint: 'open the connection again' },
  SESSION_CLOSED: { wire: 14, exit: 1, retryable: true, hint: 'open the connection again' },
  DRAINING: { wire: 15, close: 1012, exit: 4, retryable: true, hint: 'try again in a moment' },

  // On a session: they travel in DETACH.
  AGENT_UNAVAILABLE: {
    wire: 32,
    exit: 4,
    retryable: true,
    hint: 'check that the agent runs and that its name is right',
  },
  NOT_FOUND: { wire: 33, exit: 1, hint: 'the session has expired at the agent; a new one begins' },
  STALE_EPOCH: { wire: 34, exit: 1, retryable: true, hint: 'a newer carrier already serves this session' },
  SUPERSEDED: { wire: 35, close: 4409, exit: 1, retryable: true, hint: 'another process uses the same identity' },
  DESYNC: { wire: 36, exit: 1, hint: 'run the same version of tunnelctl at both ends' },
  OVERLOAD: { wire: 37, close: 1013, exit: 4, retryable: true, hint: 'try again in a moment' },
  EXPIRED_AUTH: { wire: 38, close: 4401, exit: 3, hint: 'get a new token' },
  ROUTE_LOST: {
    wire: 39,
    exit: 4,
    retryable: true,
    hint: 'the carrier behind the gateway was lost; it comes back by itself',
  },
  INSTANCE_AWAY: {
    wire: 40,
    exit: 4,
    retryable: true,
    hint: 'the agent that holds the session is not connected to the gateway; it comes back, or a new session begins',
  },

  // At the gateway's door: they become an HTTP status or a close code.
  UNAUTHENTICATED: { close: 4401, exit: 3, hint: 'give a valid token with --token-file FILE or TUNNELCTL_TOKEN' },
  FORBIDDEN: { wire: 41, close: 4403, exit: 3, hint: 'ask for a token with the right role and agent' },
  VERSION: { close: 4426, exit: 1, hint: 'run the same version of tunnelctl at both ends' },

  // On this machine only.
  AGENT_SILENT: { exit: 4, retryable: true, hint: 'check that the agent runs and reaches the gateway' },
  USAGE: { exit: 2, hint: 'see tunnelctl --help' },
  TOKEN_FILE: { exit: 3, hint: 'give a readable file that holds one token, or - for stdin' },
  KEY_FILE: { exit: 2, hint: 'make a key pair with: tunnelctl token keygen --out FILE' },
  PORT_TAKEN: { exit: 1, hint: 'choose another local port, or leave it out and any free one is taken' },
  LISTEN: { exit: 1, hint: 'check the address and the port, and the right to bind them' },
  GATEWAY_UNREACHABLE: { exit: 4, retryable: true, hint: 'check the URL of --gateway and the network to it' },
  ISSUER_UNREACHABLE: { exit: 4, retryable: true, hint: 'check the network to the issuer of your tokens' },
  NOT_A_GATEWAY: { exit: 4, hint: 'check the URL of --gateway: host, port and path' },
  TLS: { exit: 4, hint: 'check the certificate of the gateway, or give its CA with --ca-file' },
  COMMAND: {
    exit: 127,
    hint: 'what stands behind -- is a program and its arguments; for a line of shell, write sh -c',
  },
  INTERRUPTED: { exit: 130, hint: '' },
} as const satisfies Record<string, Kind>

export type ErrorCode = keyof typeof kinds

export interface TunnelErrorOptions {
  /** Replaces the hint of the table when the place of failure knows better. */
  readonly hint?: string
  readonly cause?: unknown
  /** Replaces the table's answer when the place of failure knows better. */
  readonly retryable?: boolean
}

export class TunnelError extends Error {
  override readonly name = 'TunnelError'
  readonly code: ErrorCode
  readonly hint: string
  readonly exitCode: number
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: TunnelErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    const kind: Kind = kinds[code]
    this.code = code
    this.hint = options.hint ?? kind.hint
    this.exitCode = kind.exit
    this.retryable = options.retryable ?? kind.retryable === true
  }

  /** The code for RESET and DETACH. What is nobody's business but this end's crosses the wire as GONE. */
  get wire(): number {
    return (kinds[this.code] as Kind).wire ?? kinds.GONE.wire
  }

  /** The WebSocket close code when this failure ends a carrier. */
  get close(): number {
    return (kinds[this.code] as Kind).close ?? kinds.INTERNAL.close
  }

  /** An unknown wire code means INTERNAL (docs/protocol.md, "Codes"). `reason` is untrusted text: escape it where shown. */
  static fromWire(wire: number, reason: string): TunnelError {
    return new TunnelError(byWire.get(wire) ?? 'INTERNAL', reason || 'no reason given')
  }

  /** A close code without a meaning of ours says no more than that the carrier is gone. `reason` is untrusted text. */
  static fromClose(close: number, reason: string): TunnelError {
    const code = byClose.get(close)
    if (code !== undefined && code !== 'INTERNAL') return new TunnelError(code, reason || `closed with code ${close}`)
    return new TunnelError(
      'GATEWAY_UNREACHABLE',
      `the connection to the gateway was lost${reason ? `: ${reason}` : ''}`,
    )
  }
}

const byWire = new Map<number, ErrorCode>()
const byClose = new Map<number, ErrorCode>()
for (const code of Object.keys(kinds) as ErrorCode[]) {
  const { wire, close }: Kind = kinds[code]
  if (wire !== undefined) byWire.set(wire, code)
  if (close !== undefined && !byClose.has(close)) byClose.set(close, code)
}

/** The codes, for tests and documentation. */
export const errorCodes = Object.keys(kinds) as readonly ErrorCode[]

/** Whatever was thrown, as a TunnelError: itself, or INTERNAL around it. */
export function asTunnelError(thrown: unknown): TunnelError {
  if (thrown instanceof TunnelError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new TunnelError('INTERNAL', message, { cause: thrown })
}
