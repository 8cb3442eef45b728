/** What the scripts of the bench make of their arguments. */
import type { Contender } from './contenders/contender.ts'

/** @throws Error what is wrong with it */
export function number(flag: string, text: string, least: number, whole: boolean): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value < 1e9 && (!whole || Number.isInteger(value))) return value
  throw new Error(`${flag}: ${JSON.stringify(text)} is not ${whole ? 'a whole number' : 'a number'} from ${least} up`)
}

/**
 * @param lists names, separated by commas, of the only ones wanted; undefined: all
 * @throws Error when there is none of that name
 */
export function chosen(made: readonly Contender[], lists: readonly string[] | undefined): readonly Contender[] {
  const names = lists?.flatMap(list => list.split(','))
  if (!names) return made
  const unknown = names.find(name => !made.some(contender => contender.name === name))
  if (unknown === undefined) return made.filter(contender => names.includes(contender.name))
  const known = made.map(contender => contender.name).join(', ')
  throw new Error(`--only: there is no contender ${JSON.stringify(unknown)}\nthere are ${known}`)
}
