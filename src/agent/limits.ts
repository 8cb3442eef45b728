/** What those who connect may take of an agent. docs/security.md says of each why it is as it is. */
export interface AgentLimits {
  readonly sessions: number
  readonly sessionsPerSubject: number
  readonly streamsPerSession: number
  readonly streamsPerSubject: number
  /** Dials under way of one subject to one target; more wait for their turn. */
  readonly dialsPerTarget: number
  /** Streams of one subject to one target that reach no service; twice as many at once. */
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
  streamsPerSubject: 32_768,
  dialsPerTarget: 128,
  vainPerSecond: 200,
  sessionBytes: 128 * MIB,
  totalBytes: 320 * MIB,
}
