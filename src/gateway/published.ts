/** The services that one agent process has told of. What it says is bounded, and read field by field. */
import { type PublishedService, publishedFromJson, timeFromJson } from '../net/published.ts'

/** More than this of one agent are not kept; the rest can still be reached by name. */
const MAX_SERVICES = 10_000

export class Published {
  readonly #services = new Map<string, PublishedService>()
  #staleSince: number | undefined

  /** Milliseconds since 1970, by the agent's clock: since when it hears nothing new. */
  get staleSince(): number | undefined {
    return this.#staleSince
  }

  get services(): Iterable<PublishedService> {
    return this.#services.values()
  }

  /** The JSON of CATALOGUE (docs/protocol.md, "Catalogue"). What cannot be read of it counts as absent. */
  apply({ reset, set, remove, staleSince }: Readonly<Record<string, unknown>>): void {
    if (reset === true) this.#services.clear()
    if (reset === true || staleSince === null) this.#staleSince = undefined
    this.#staleSince = timeFromJson(staleSince) ?? this.#staleSince
    for (const name of listed(remove)) if (typeof name === 'string') this.#services.delete(name)
    for (const value of listed(set)) {
      const service = publishedFromJson(value)
      if (service === undefined) continue
      const key = `${service.service}/${service.namespace}`
      if (this.#services.size < MAX_SERVICES || this.#services.has(key)) this.#services.set(key, service)
    }
  }
}

const listed = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
