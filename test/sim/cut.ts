/** One deliberate loss: which message it strikes, and how. */

/** Whose carrier. */
export const hops = ['client', 'agent'] as const
/** Into the gateway, or out of it. */
export const directions = ['in', 'out'] as const
/**
 * `before`: the carrier is cut and the message is lost. `after`: it is cut right behind the message. `hole`: the message
 * and all that follow are lost, in both directions, and the two sides notice much later.
 */
export const ways = ['before', 'after', 'hole'] as const

export type Lane = `${(typeof hops)[number]} ${(typeof directions)[number]}`

export interface Cut {
  readonly lane: Lane
  /** Which message of the lane, counted over all carriers, from the start or from the cut before this one. */
  readonly index: number
  readonly way: (typeof ways)[number]
}

/** How many messages each lane has carried. */
export type Counts = Record<Lane, number>

export const noCounts = (): Counts => ({ 'client in': 0, 'client out': 0, 'agent in': 0, 'agent out': 0 })

/** Every cut that can strike one of these messages. */
export function* cutsOf(counts: Counts): Generator<Cut> {
  for (const hop of hops) {
    for (const direction of directions) {
      const lane: Lane = `${hop} ${direction}`
      for (let index = 0; index < counts[lane]; index++) for (const way of ways) yield { lane, index, way }
    }
  }
}

/** `client in 3 before, agent out 0 hole` */
export const formatCuts = (cuts: readonly Cut[]): string =>
  cuts.map(({ lane, index, way }) => `${lane} ${index} ${way}`).join(', ')

export function parseCuts(text: string): Cut[] {
  return text.split(',').map(one => {
    const [hop, direction, index, way] = one.trim().split(/\s+/)
    const found = [...cutsOf({ ...noCounts(), [`${hop} ${direction}`]: Number(index) + 1 })]
    const cut = found.find(each => each.index === Number(index) && each.way === way)
    if (cut === undefined) throw new Error(`not a cut: ${one}`)
    return cut
  })
}
