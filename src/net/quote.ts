/** How a message repeats what somebody typed: quoted, on one line, never long, and never with a secret in it. */

const maxLength = 80

/** `text` with everything that looks like a token replaced. */
export function redactTokens(text: string): string {
  return text.replace(/\beyJ[\w-]*\.[\w-]*(?:\.[\w-]*)?/g, '[token]')
}

/** `text` as a JSON string, tokens replaced, cut after 80 characters. */
export function quote(text: string): string {
  // Cut once more than needed before the search, so that a hostile length costs nothing and no token ends in the cut.
  const shown = redactTokens(text.slice(0, 20_000))
  return JSON.stringify(shown.length > maxLength ? `${shown.slice(0, maxLength)}…` : shown)
}
