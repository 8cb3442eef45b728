/**
 * The configuration file: named contexts, each a gateway and how to talk to it, and the one in use. Edits keep the comments
 * and the order of what a user has written.
 *
 *     current: prod
 *     contexts:
 *       prod:
 *         gateway: wss://gateway.example.com
 *         token-file: tokens/prod.token
 */
import { readFile } from 'node:fs/promises'
import { Document, isMap, parseDocument } from 'yaml'
import { TunnelError } from '../../errors.ts'
import { quote } from '../../net/quote.ts'
import { explainFileError } from '../../net/smallfile.ts'
import { writePrivately } from '../own-file.ts'
import { type Context, contextKeys, fileKeys } from './context.ts'
import { besideConfig } from './paths.ts'

const MAX_CONFIG_BYTES = 256 * 1024
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,62}$/

export class Config {
  readonly file: string
  readonly #document: Document

  private constructor(file: string, document: Document) {
    this.file = file
    this.#document = document
  }

  /**
   * The file, or an empty configuration when there is none.
   * @throws TunnelError USAGE when it is malformed, or says what nobody knows
   */
  static async load(file: string): Promise<Config> {
    const config = new Config(file, await read(file))
    config.#check()
    return config
  }

  get current(): string | undefined {
    return this.#document.get('current') as string | undefined
  }

  get names(): string[] {
    return Object.keys(this.#contexts())
  }

  /**
   * Paths in it are absolute.
   * @throws TunnelError USAGE when there is no context of this name
   */
  context(name: string): Context {
    const found = this.#contexts()[name]
    if (found === undefined) throw this.#unknown(name)
    const paths = fileKeys.flatMap(key => {
      const path = found[key]
      return path === undefined ? [] : [[key, besideConfig(this.file, path)] as const]
    })
    return { ...found, ...Object.fromEntries(paths) }
  }

  /** Makes the context, or replaces it. */
  set(name: string, context: Context): void {
    checkName(name)
    for (const key of contextKeys) {
      const path = ['contexts', name, key]
      if (context[key] === undefined) this.#document.deleteIn(path)
      else this.#document.setIn(path, context[key])
    }
  }

  /** @throws TunnelError USAGE when there is no context of this name */
  use(name: string): void {
    if (!this.names.includes(name)) throw this.#unknown(name)
    this.#document.set('current', name)
  }

  /** @throws TunnelError USAGE when there is none of the old name, or one of the new */
  rename(from: string, to: string): void {
    checkName(to)
    const contexts = this.#document.get('contexts')
    const pair = isMap(contexts) ? contexts.items.find(({ key }) => String(key) === from) : undefined
    if (pair === undefined) throw this.#unknown(from)
    if (this.names.includes(to)) throw new TunnelError('USAGE', `there is a context ${quote(to)} already`, { hint: '' })
    pair.key = this.#document.createNode(to)
    if (this.current === from) this.#document.set('current', to)
  }

  /** @throws TunnelError USAGE when there is no context of this name */
  remove(name: string): void {
    if (!this.#document.deleteIn(['contexts', name])) throw this.#unknown(name)
    if (this.current === name) this.#document.delete('current')
  }

  /**
   * Writes all at once, for this user alone.
   * @throws TunnelError USAGE
   */
  async save(): Promise<void> {
    await writePrivately(this.file, this.#document.toString())
  }

  #contexts(): Readonly<Record<string, Context>> {
    return (this.#document.toJS() as { contexts?: Record<string, Context> | null } | null)?.contexts ?? {}
  }

  #check(): void {
    const all: unknown = this.#document.toJS() ?? {}
    const { current, contexts, ...others } = record(all, this.file, 'the file')
    const [other] = Object.keys(others)
    if (other !== undefined) throw malformed(this.file, `${quote(other)} means nothing`)
    if (current !== undefined && typeof current !== 'string') throw malformed(this.file, 'current is not a name')
    for (const [name, context] of Object.entries(record(contexts ?? {}, this.file, 'contexts'))) {
      checkName(name)
      for (const [key, value] of Object.entries(record(context, this.file, `context ${name}`))) {
        if (!(contextKeys as readonly string[]).includes(key)) {
          throw malformed(
            this.file,
            `${quote(key)} in context ${name} means nothing: known are ${contextKeys.join(', ')}`,
          )
        }
        if (typeof value !== 'string') throw malformed(this.file, `${key} in context ${name} is not text`)
      }
    }
  }

  #unknown(name: string): TunnelError {
    const { names } = this
    const hint =
      names.length === 0
        ? 'make one with: tunnelctl login --gateway URL'
        : `there are: ${names.slice(0, 10).join(', ')}`
    return new TunnelError('USAGE', `there is no context ${quote(name)}`, { hint })
  }
}

async function read(file: string): Promise<Document> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return new Document({})
    throw new TunnelError('USAGE', `cannot read ${file}: ${explainFileError(thrown)}`, { cause: thrown, hint: '' })
  }
  if (text.length > MAX_CONFIG_BYTES) throw malformed(file, `it is over ${MAX_CONFIG_BYTES / 1024} KiB`)
  const document = parseDocument(text, { maxAliasCount: 0 } as object)
  const [error] = document.errors
  if (error !== undefined) throw malformed(file, error.message.split('\n')[0] ?? 'it is not YAML')
  return document
}

function record(value: unknown, file: string, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw malformed(file, `${what} is not a map`)
}

function checkName(name: string): void {
  if (NAME.test(name)) return
  throw new TunnelError('USAGE', `${quote(name)} is not a name for a context`, {
    hint: 'use letters, digits and . _ : @ -, at most 63',
  })
}

function malformed(file: string, why: string): TunnelError {
  return new TunnelError('USAGE', `${file} is malformed: ${why}`, { hint: 'edit it, or move it away' })
}
