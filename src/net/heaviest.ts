/** Who gives way when all hold too much together: not whoever has the one largest thing, but whoever has most in all. */

/** All `items`: first those of the owner whose bytes are most in all, and of each owner the largest first. */
export function heaviestFirst<T>(items: Iterable<T>, ownerOf: (item: T) => string, bytesOf: (item: T) => number): T[] {
  const owners = new Map<string, { bytes: number; owned: T[] }>()
  for (const item of items) {
    const owner = ownerOf(item)
    const all = owners.get(owner) ?? { bytes: 0, owned: [] }
    all.bytes += bytesOf(item)
    all.owned.push(item)
    owners.set(owner, all)
  }
  return [...owners.values()]
    .sort((a, b) => b.bytes - a.bytes)
    .flatMap(({ owned }) => owned.sort((a, b) => bytesOf(b) - bytesOf(a)))
}
