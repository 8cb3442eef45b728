import { Random } from '../sim/random.ts'

/** The generator of one round: the same for the same words, whatever came before. */
export function randomOf(...words: readonly (string | number)[]): Random {
  let hash = 2166136261
  for (const character of words.join(' ')) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619)
  return new Random(hash >>> 0)
}
