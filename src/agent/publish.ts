/** Tells a gateway which services the agent reaches, in messages that each fit the limit of JSON. */
import type { PublishedService } from '../net/published.ts'
import { encodeJson, Kind, MAX_JSON_BYTES } from '../wire/message.ts'

/** What the fields around the list need. */
const FRAME_BYTES = 64

/** CATALOGUE messages for a carrier on which nothing was told yet (docs/protocol.md, "Catalogue"). */
export function* catalogueMessages(services: Iterable<PublishedService>): Generator<Buffer> {
  let set: PublishedService[] = []
  let bytes = FRAME_BYTES
  let reset = true
  const message = () => {
    const json = { ...(reset && { reset }), set }
    reset = false
    return encodeJson(Kind.CATALOGUE, json)
  }
  for (const service of services) {
    const more = Buffer.byteLength(JSON.stringify(service)) + 1
    if (bytes + more > MAX_JSON_BYTES && set.length > 0) {
      yield message()
      set = []
      bytes = FRAME_BYTES
    }
    set.push(service)
    bytes += more
  }
  yield message()
}
