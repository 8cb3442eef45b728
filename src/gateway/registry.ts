/** The agents that are here, by name. */
import { TunnelError } from '../errors.ts'
import { globMatches } from '../net/pattern.ts'
import type { Hop } from './hop.ts'
import type { Principal } from './principal.ts'

export class Registry {
  readonly #agents = new Map<string, Hop>()

  get size(): number {
    return this.#agents.size
  }

  find(name: string): Hop | undefined {
    return this.#agents.get(name)
  }

  /**
   * Registers `hop` under `name`. The same subject takes its own place again, so that an agent whose old carrier is
   * silently dead is back at once.
   * @returns the hop that was replaced; the caller ends it
   * @throws TunnelError FORBIDDEN when another subject holds the name
   */
  register(name: string, hop: Hop): Hop | undefined {
    const holder = this.#agents.get(name)
    if (holder !== undefined && holder.principal.subject !== hop.principal.subject) {
      throw new TunnelError('FORBIDDEN', `the agent name ${name} is held by another subject`)
    }
    this.#agents.set(name, hop)
    return holder
  }

  /** Compare-and-delete: a late end of an old carrier does not remove its successor. */
  unregister(name: string, hop: Hop): void {
    if (this.#agents.get(name) === hop) this.#agents.delete(name)
  }

  /** The names that `principal` may use, of those that are here, sorted. */
  visibleTo(principal: Principal): string[] {
    return [...this.#agents.keys()].filter(name => principal.agents.some(glob => globMatches(glob, name))).sort()
  }
}
