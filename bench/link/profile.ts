/** What a link is like, the same in both directions. */
export interface Profile {
  readonly name: string
  /** Half of it each way. */
  readonly roundTripMs: number
  readonly bitsPerSecond: number
  readonly stall?: Stall
}

/** Everything on the link stands still, now and then. */
export interface Stall {
  /** 0 to 1, that one begins in a slot in which none lasts already. */
  readonly chance: number
  readonly slotMs: number
  /** A whole number of slots. */
  readonly lastsMs: number
}

/** A data centre nearby, another continent, a mobile phone, a satellite or a bad radio. */
export const profiles = {
  near: { name: '20ms/1Gbit', roundTripMs: 20, bitsPerSecond: 1e9 },
  far: { name: '100ms/200Mbit', roundTripMs: 100, bitsPerSecond: 200e6 },
  narrow: { name: '50ms/10Mbit', roundTripMs: 50, bitsPerSecond: 10e6 },
  stalling: {
    name: '200ms/50Mbit, stalls',
    roundTripMs: 200,
    bitsPerSecond: 50e6,
    stall: { chance: 0.01, slotMs: 100, lastsMs: 200 },
  },
} as const satisfies Record<string, Profile>
