/** Whether there is a newer version: told by the gateway that one talks to anyway, so that nobody else is asked. */

/** One line for the user when `theirs`, as `tunnelctl/1.2.3`, is a release after `own`. */
export function updateHint(theirs: string, own: string): string | undefined {
  const [newest, mine] = [releaseOf(theirs.replace(/^tunnelctl\//, '')), releaseOf(own)]
  if (newest === undefined || mine === undefined) return undefined
  const at = newest.findIndex((part, index) => part !== mine[index])
  if (at < 0 || (newest[at] ?? 0) < (mine[at] ?? 0)) return undefined
  return `the gateway has tunnelctl ${newest.join('.')}, this is ${own}: npm i -g tunnelctl@${newest.join('.')}`
}

/** A release, not a build from a working copy. */
function releaseOf(text: string): readonly number[] | undefined {
  const [, ...parts] = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/.exec(text) ?? []
  return parts.length === 3 ? parts.map(Number) : undefined
}
