/** Tells a gateway which services the agent reaches, in messages that each fit the limit of JSON. */
import type { PublishedService } from '../net/published.ts'
import { encodeJson, Kind, MAX_JSON_BYTES } from '../wire/message.ts'

/** What the fields around the list need. */
const FRAME_BYTES = 96

/** All that is published at one time. */
export interface CatalogueState {
  readonly services: Iterable<PublishedService>
  /** Milliseconds since 1970: what is told was so then, and nothing new is heard. Absent: it is so now. */
  readonly staleSince?: number
}

export interface CatalogueChange {
  readonly set: Iterable<PublishedService>
  /** `service/namespace`. */
  readonly remove: readonly string[]
  /** As in `CatalogueState`; null: it is so now again. Absent: as before. */
  readonly staleSince?: number | null
}

/** CATALOGUE messages for a carrier on which nothing was told yet (docs/protocol.md, "Catalogue"). */
export function catalogueMessages({ services, ...state }: CatalogueState): Generator<Buffer> {
  return messages({ set: services, remove: [] }, { reset: true, ...state })
}

/** Those for a carrier on which all that was before is known. */
export function changeMessages({ staleSince, ...change }: CatalogueChange): Generator<Buffer> {
  return messages(change, staleSince === undefined ? {} : { staleSince })
}

/** @param head what the first message says beside the lists; it is sent even if they are empty */
function* messages({ set, remove }: CatalogueChange, head: object): Generator<Buffer> {
  let entries: { readonly key: 'set' | 'remove'; readonly value: unknown }[] = []
  let bytes = FRAME_BYTES
  let first = head
  const message = () => {
    const of = (wanted: 'set' | 'remove') => entries.filter(({ key }) => key === wanted).map(({ value }) => value)
    const removed = of('remove')
    const json = { ...first, ...(removed.length > 0 && { remove: removed }), set: of('set') }
    first = {}
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
  if (entries.length > 0 || Object.keys(first).length > 0) yield message()
}
