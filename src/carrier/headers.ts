/** Headers of the user's own, for access proxies in front of a gateway. Their values are secrets: no message repeats one. */
import { TunnelError } from '../errors.ts'
import { readSmallFile } from '../net/smallfile.ts'

export interface Header {
  readonly name: string
  readonly value: string
}

/** What HTTP servers take in all. */
const MAX_FILE_BYTES = 16 * 1024
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/
/** Set for each request here, or by Node. */
const OWN =
  /^(accept|authorization|connection|content-length|expect|host|keep-alive|origin|proxy-connection|te|trailer|transfer-encoding|upgrade|sec-websocket-.*)$/i

/**
 * A header as `Name: value`.
 * @param where what the message of a failure begins with
 * @throws TunnelError USAGE
 */
export function parseHeader(text: string, where: string): Header {
  const colon = text.indexOf(':')
  const name = text.slice(0, Math.max(0, colon))
  if (!TOKEN.test(name)) throw unusable(`${where} does not begin with a name and a colon`)
  if (OWN.test(name)) throw unusable(`${where}: ${name} is a header that tunnelctl sets itself`, 'leave it out')
  const value = text.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
  if (value === '') throw unusable(`${where}: ${name} has no value`)
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    throw unusable(`${where}: the value of ${name} has a character that no header may have`)
  return { name, value }
}

/**
 * One header a line; empty lines, and those that begin with `#`, are left out. Read it again for each dial, as a token.
 * @param warn told in one line when others than the owner may read the file
 * @throws TunnelError USAGE
 */
export async function readHeaderFile(file: string, warn?: (message: string) => void): Promise<readonly Header[]> {
  const { text, openMode } = await readSmallFile(file, MAX_FILE_BYTES, 'USAGE')
  const headers: Header[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const where = `${file}, line ${index + 1}`
    headers.push(onlyOne(parseHeader(line, where), headers, where))
  }
  if (headers.length === 0) throw unusable(`${file} holds no header`)
  if (openMode !== undefined) warn?.(`other users can read the headers in ${file} (mode ${openMode}): chmod 600 it`)
  return headers
}

/**
 * `header`, of which there must be none in `before`.
 * @throws TunnelError USAGE
 */
export function onlyOne(header: Header, before: readonly Header[], where: string): Header {
  if (!before.some(({ name }) => name.toLowerCase() === header.name.toLowerCase())) return header
  throw unusable(`${where}: ${header.name} is given twice`, 'give it once')
}

/** Whether somebody who may see it could come in with it. */
export const looksSecret = ({ name, value }: Header): boolean =>
  /token|secret|authorization|cookie|password|assertion|api-?key/i.test(name) || /\beyJ[\w-]*\./.test(value)

/** As Node takes them; of two with one name the earlier one goes before. */
export function asFields(headers: readonly Header[]): Record<string, string> {
  const fields = new Map<string, string>()
  for (const { name, value } of headers) {
    if (!fields.has(name.toLowerCase())) fields.set(name.toLowerCase(), value)
  }
  return Object.fromEntries(fields)
}

const unusable = (message: string, hint = 'write it as Name: value'): TunnelError =>
  new TunnelError('USAGE', message, { hint })
