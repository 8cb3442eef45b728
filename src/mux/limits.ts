/** What one session may take, at either end. */
import { TunnelError } from '../errors.ts'

export interface SessionLimits {
  /** Unacknowledged bytes in each direction; the smaller of both ends holds. */
  readonly maxInflightBytes: number
  readonly maxStreams: number
  /** Growth of all receive windows together. */
  readonly windowBudgetBytes: number
}

export const defaultLimits: SessionLimits = {
  maxInflightBytes: 8 * 1024 * 1024,
  maxStreams: 16_384,
  windowBudgetBytes: 64 * 1024 * 1024,
}

/** Stream ids are u32 and never used twice. */
export const MAX_STREAM_ID = 2 ** 32 - 1

/** Answers to OPENs that the peer has no room for: it opens without acknowledging what it gets. */
export const MAX_UNSENT_BYTES = 1024 * 1024

export function tooManyStreams({ maxStreams }: Pick<SessionLimits, 'maxStreams'>): TunnelError {
  return new TunnelError('LIMIT', `${maxStreams} connections are open already`)
}
