/** YAML that an operator writes, read field by field: what means nothing is an error, and each error says where it is. */
import { parse } from 'yaml'
import { TunnelError } from '../errors.ts'
import { quote } from '../net/quote.ts'
import { readSmallFile } from '../net/smallfile.ts'

const MAX_FILE_BYTES = 256 * 1024
const MAX_ENTRIES = 256

export type Fields = Readonly<Record<string, unknown>>

export class Settings {
  /** Of the whole file. */
  readonly value: unknown
  readonly #name: string
  readonly #hint: string

  /**
   * @param name what to call it in errors: `the rules in rules.yaml`
   * @param hint where its form is explained
   * @throws TunnelError USAGE when it is no YAML
   */
  constructor(text: string, name: string, hint: string) {
    this.#name = name
    this.#hint = hint
    try {
      // Without aliases, which a few lines can make into gigabytes.
      this.value = parse(text, { maxAliasCount: 0 })
    } catch (thrown) {
      throw this.malformed((thrown as Error).message.split('\n')[0] ?? 'it is not YAML')
    }
  }

  /** @throws TunnelError USAGE */
  static async load(file: string, what: string, hint: string, maxBytes: number = MAX_FILE_BYTES): Promise<Settings> {
    const { text } = await readSmallFile(file, maxBytes, 'USAGE')
    return new Settings(text, `the ${what} in ${file}`, hint)
  }

  /** @throws TunnelError USAGE when `value` is no map, or has a key that is not known */
  fields(value: unknown, known: readonly string[], what: string): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.malformed(`${what} is not a map`)
    const unknown = Object.keys(value).find(key => !known.includes(key))
    if (unknown !== undefined) throw this.malformed(`${what} has ${quote(unknown)}, which means nothing there`)
    return value as Fields
  }

  /** @throws TunnelError USAGE for anything but a list with something in it */
  list(value: unknown, what: string): readonly unknown[] {
    if (!Array.isArray(value) || value.length === 0) throw this.malformed(`${what} is not a list`)
    return value
  }

  /** @throws TunnelError USAGE for anything but a list of texts with something in it */
  texts(value: unknown, what: string, most: number = MAX_ENTRIES): readonly string[] {
    const texts = this.list(value, what)
    if (texts.length > most) throw this.malformed(`${what} has over ${most} entries`)
    return texts.map(text => this.text(text, `an entry of ${what}`))
  }

  /** @throws TunnelError USAGE */
  text(value: unknown, what: string): string {
    if (typeof value === 'string') return value
    throw this.malformed(`${what} is not a text`)
  }

  /** What `read` makes of a text, with its failure said as one of this file. */
  parsed<T>(what: string, read: () => T): T {
    try {
      return read()
    } catch (thrown) {
      throw this.malformed(`${what}: ${(thrown as TunnelError).message}`)
    }
  }

  malformed(why: string): TunnelError {
    return new TunnelError('USAGE', `${this.#name} are malformed: ${why}`, { hint: this.#hint })
  }
}
