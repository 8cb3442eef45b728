import type { Random } from './random.ts'

/** What happens on one connection of a simulated world. */
export interface Plan {
  readonly name: string
  readonly openAtMs: number
  readonly upBytes: number
  readonly downBytes: number
  readonly dialMs: number
  readonly refused: boolean
  readonly resetBy: 'client' | 'service' | undefined
  readonly resetAfterMs: number
}

const nobody = [undefined, undefined, undefined, undefined, undefined, undefined] as const

/** @param heavy many large transfers at once, so that every buffer is full */
export function planStreams(random: Random, heavy: boolean): Plan[] {
  const sizes = heavy ? [1_000_000] : [1, 100, 20_000, 200_000, 400_000]
  const bytes = () => random.below(random.pick(sizes))
  return Array.from({ length: heavy ? 8 : 1 + random.below(8) }, (_, index) => ({
    name: `s${index}`,
    openAtMs: random.below(heavy ? 100 : 4_000),
    upBytes: bytes(),
    downBytes: bytes(),
    dialMs: random.below(random.chance(0.2) ? 1_000 : 20),
    refused: random.chance(0.1),
    resetBy: random.pick([...nobody, 'client', 'service'] as const),
    resetAfterMs: random.below(2_000),
  }))
}
