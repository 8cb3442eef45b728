/** Fields of a message as they came: flat pairs of name and value, of which a name may have several. */

/** Every value of a header; `name` in lower case. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const each = rawHeaders[i] ?? ''
    // Most names differ in their length already, and are not copied then.
    if (each.length === name.length && each.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '')
  }
  return values
}
