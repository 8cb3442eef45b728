/** What those who connect may take of an agent. docs/security.md says of each why it is as it is. */
export interface AgentLimits {
  readonly sessions: number
  readonly sessionsPerSubject: number
  readonly streamsPerSession: number
  /** Dials under way for one subject; more wait for their turn. */
  readonly dialsPerSubject: number
  /** Streams of one subject that reach no service; twice as many at once. */
  readonly vainPerSecond: number
  /** What is held for readers and carriers that take nothing, of one session and of all together. */
  readonly sessionBytes: number
  readonly totalBytes: number
}

const MIB = 1024 * 1024

export const defaultAgentLimits: AgentLimits = {
  sessions: 512,
  sessionsPerSubject: 64,
  streamsPerSession: 16_384,
  dialsPerSubject: 128,
  vainPerSecond: 200,
  sessionBytes: 128 * MIB,
  totalBytes: 192 * MIB,
}
