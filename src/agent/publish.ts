/** Tells a gateway which services the agent reaches, in messages that each fit the limit of JSON. */
import type { PublishedService } from '../net/published.ts'
import { encodeJson, Kind, MAX_JSON_BYTES } from '../wire/message.ts'

/** What the fields around the list need. */
const FRAME_BYTES = 64

/** CATALOGUE messages for a carrier on which nothing was told yet (docs/protocol.md, "Catalogue"). */
export function catalogueMessages(services: Iterable<PublishedService>): Generator<Buffer> {
  return messages({ set: services, remove: [] }, true)
}

/** Those for a carrier on which all that was before is known. */
export function changeMessages(change: CatalogueChange): Generator<Buffer> {
  return messages(change, false)
}

export interface CatalogueChange {
  readonly set: Iterable<PublishedService>
  /** `service/namespace`. */
  readonly remove: readonly string[]
}

function* messages({ set, remove }: CatalogueChange, reset: boolean): Generator<Buffer> {
  let entries: { readonly key: 'set' | 'remove'; readonly value: unknown }[] = []
  let bytes = FRAME_BYTES
  let first = reset
  const message = () => {
    const of = (wanted: 'set' | 'remove') => entries.filter(({ key }) => key === wanted).map(({ value }) => value)
    const removed = of('remove')
    const json = { ...(first && { reset: true }), ...(removed.length > 0 && { remove: removed }), set: of('set') }
    first = false
    entries = []
    bytes = FRAME_BYTES
    return encodeJson(Kind.CATALOGUE, json)
  }
  const all = function* () {
    for (const value of remove) yield { key: 'remove' as const, value }
    for (const value of set) yield { key: 'set' as const, value }
  }
  for (const entry of all()) {
    const more = Buffer.byteLength(JSON.stringify(entry.value)) + 1
    if (bytes + more > MAX_JSON_BYTES && entries.length > 0) yield message()
    entries.push(entry)
    bytes += more
  }
  if (first || entries.length > 0) yield message()
}
