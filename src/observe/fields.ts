/**
 * The fields of a log line as they may leave the process: secrets replaced, text escaped, errors reduced to what their
 * reader needs, and everything bounded in depth and breadth.
 */
import { TunnelError } from '../errors.ts'
import { escapeText } from './escape.ts'

const redacted = '[redacted]'
const maxText = 1024
const maxDepth = 3
const maxEntries = 64

const secretAnywhere = /token|authorization|secret|password|passwd|credential|cookie/i
/** Words too common to be looked for inside others: `monkey`, `waterproof`. */
const secretWord = /(^|[^a-z])(api|private|shared)?(key|proof)s?([^a-z]|$)/i
/** What describes a secret is none: `tokenFile`, `keyId`. */
const harmlessEnd = /(File|Path|Id|Count|Bytes|Ms)$|[_-](file|path|id|count|bytes|ms)$/
/** A JSON Web Token, wherever it was quoted. */
const webToken = /eyJ[\w-]{8,}\.[\w-]+\.[\w-]+/g

export interface FieldOptions {
  /** Errors carry their stack and cause. */
  readonly stacks: boolean
}

export type Shown = string | number | boolean | null | Shown[] | { [key: string]: Shown }

/** Names that a line has of its own. */
const isReserved = (key: string): boolean => key === 'level' || key === 'time' || key === 'event'

/** A copy of `fields` that is safe to write; nothing of the original is kept. A reserved name gets a `_` behind it. */
export function showFields(fields: object, options: FieldOptions): { [key: string]: Shown } {
  const shown = showEntries(fields, options, 0)
  if (!Object.keys(shown).some(isReserved)) return shown
  return Object.fromEntries(Object.entries(shown).map(([key, value]) => [isReserved(key) ? `${key}_` : key, value]))
}

/** What was found of keys: there are few, and they come again with every line. */
const secretKeys = new Map<string, boolean>()
const maxKeys = 1024

/** True when the value under this key must not be shown. */
export function isSecretKey(key: string): boolean {
  let secret = secretKeys.get(key)
  if (secret === undefined) {
    secret = looksSecret(key)
    if (secretKeys.size < maxKeys) secretKeys.set(key, secret)
  }
  return secret
}

function looksSecret(key: string): boolean {
  const words = key.replace(/([a-z0-9])([A-Z])/g, '$1_$2')
  return (secretAnywhere.test(key) || secretWord.test(words)) && !harmlessEnd.test(key)
}

/** An error for its reader: code, message, hint; with `stacks`, where it came from too. */
export function showError(error: unknown, { stacks }: FieldOptions): { [key: string]: Shown } {
  if (!(error instanceof Error)) return { message: showText(String(error)) }
  const shown: { [key: string]: Shown } = {}
  const code = (error as NodeJS.ErrnoException).code
  if (typeof code === 'string') shown.code = showText(code)
  shown.message = showText(error.message || error.name)
  if (error instanceof TunnelError && error.hint !== '') shown.hint = showText(error.hint)
  if (stacks) {
    if (error.cause !== undefined) shown.cause = showError(error.cause, { stacks: false })
    shown.stack = stackLines(error)
  }
  return shown
}

function show(value: unknown, options: FieldOptions, depth: number): Shown | undefined {
  switch (typeof value) {
    case 'string':
      return showText(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
      return value
    case 'bigint':
      return value.toString()
    case 'object':
      return value === null ? null : showObject(value, options, depth)
    default:
      return undefined
  }
}

function showObject(value: object, options: FieldOptions, depth: number): Shown {
  if (value instanceof Error) return showError(value, options)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
  if (depth > maxDepth) return Array.isArray(value) ? `[${value.length} items]` : '[object]'
  if (!Array.isArray(value)) return showEntries(value, options, depth)
  const items = value.slice(0, maxEntries).map(item => show(item, options, depth + 1) ?? null)
  return value.length > maxEntries ? [...items, `… and ${value.length - maxEntries} more`] : items
}

function showEntries(fields: object, options: FieldOptions, depth: number): { [key: string]: Shown } {
  const shown: { [key: string]: Shown } = {}
  let entries = 0
  for (const [key, value] of Object.entries(fields)) {
    if (entries === maxEntries) {
      shown['…'] = 'more fields'
      break
    }
    const item = isSecretKey(key) && value !== undefined ? redacted : showEntry(key, value, options, depth)
    if (item === undefined) continue
    put(shown, escapeText(key, 64), item)
    entries++
  }
  return shown
}

/** An assignment to this one name would set the prototype. */
function put(shown: { [key: string]: Shown }, key: string, value: Shown): void {
  if (key !== '__proto__') shown[key] = value
  else Object.defineProperty(shown, key, { value, enumerable: true, configurable: true, writable: true })
}

function showEntry(key: string, value: unknown, options: FieldOptions, depth: number): Shown | undefined {
  if (key === 'error' && value !== undefined && value !== null) return showError(value, options)
  return show(value, options, depth + 1)
}

function showText(text: string): string {
  const bounded = text.slice(0, 8 * maxText)
  return escapeText(bounded.includes('eyJ') ? bounded.replace(webToken, redacted) : bounded, maxText)
}

/** The frames alone: the message above them is text from anybody and could forge a frame or a line. */
function stackLines(error: Error): string[] {
  const stack = error.stack ?? ''
  const at = stack.indexOf(error.message)
  const frames = at < 0 ? stack : stack.slice(at + error.message.length)
  return frames
    .split('\n')
    .filter(line => /^\s+at /.test(line))
    .map(line => showText(line.trim()))
}
