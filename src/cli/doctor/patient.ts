/** What a check of `tunnelctl doctor` is given, and what it finds. */
import type { GatewayAddress } from '../../carrier/approach.ts'
import type { TunnelError } from '../../errors.ts'
import type { Target } from '../../net/target.ts'

export interface Patient {
  readonly address: () => Promise<GatewayAddress>
  readonly token: () => Promise<string | undefined>
  readonly agent: string | undefined
  readonly target: Target | undefined
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

export interface Finding {
  readonly name: string
  readonly found?: string
  readonly error?: TunnelError
  /** A check before it has failed, and this one needs it. */
  readonly skipped?: true
}

export const TIMEOUT_MS = 10_000

/** What the checks before have found out. */
export interface Known {
  address: GatewayAddress
  /** Absent: a certificate names this end. */
  token: string | undefined
}

/** Says in a few words what it found, or nothing when it does not apply; throws the TunnelError that says what is wrong. */
export type Check = (patient: Patient, known: Known) => Promise<string | undefined>
