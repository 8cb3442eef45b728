/** What one session may take, at either end. */
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
