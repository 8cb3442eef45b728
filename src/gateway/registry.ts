/**
 * The agents that are here, by name. Several processes may have one name, if they have one subject: the newest gets the new
 * sessions, or the less loaded one of those that say to be of one group with it, and each keeps those that it holds.
 */
import { TunnelError } from '../errors.ts'
import { globMatches } from '../net/pattern.ts'
import type { Hop } from './hop.ts'
import type { Principal } from './principal.ts'

const MAX_INSTANCES = 16

export interface Registration {
  /** An older carrier of the same process: the caller ends it. */
  readonly replaced: Hop | undefined
  /** The process that got the new sessions until now: the caller tells it. */
  readonly superseded: Hop | undefined
}

export class Registry {
  /** In the order in which the processes came; the newest is last. No list is empty. */
  readonly #agents = new Map<string, readonly Hop[]>()

  /** Names. */
  get size(): number {
    return this.#agents.size
  }

  /** The carrier for a new session at `name`; with `instance`, the one to the process that holds a session. */
  find(name: string, instance?: string): Hop | undefined {
    const hops = this.#agents.get(name) ?? []
    if (instance !== undefined) return hops.findLast(hop => hop.instance === instance)
    const newest = hops.findLast(hop => !hop.draining)
    if (newest === undefined || newest.group === '') return newest
    return hops.filter(hop => !hop.draining && hop.group === newest.group).reduce(lessLoaded)
  }

  /**
   * Registers `hop` under `name`. The same process takes its own place again, so that an agent whose old carrier is silently
   * dead is back at once, and one that only changes its carrier supersedes nobody.
   * @throws TunnelError FORBIDDEN when another subject holds the name, LIMIT when too many processes have it
   */
  register(name: string, hop: Hop): Registration {
    const others = this.#agents.get(name) ?? []
    if (others.some(({ principal }) => principal.subject !== hop.principal.subject)) {
      throw new TunnelError('FORBIDDEN', `the agent name ${name} is held by another subject`)
    }
    const replaced = others.find(({ instance }) => instance === hop.instance)
    if (replaced === undefined && others.length >= MAX_INSTANCES) {
      throw new TunnelError('LIMIT', `${others.length} agents of the name ${name} are connected already`)
    }
    if (replaced !== undefined) {
      this.#agents.set(
        name,
        others.map(other => (other === replaced ? hop : other)),
      )
      return { replaced, superseded: undefined }
    }
    const before = hop.draining ? undefined : this.find(name)
    const superseded = before !== undefined && before.group !== '' && before.group === hop.group ? undefined : before
    this.#agents.set(name, [...others, hop])
    return { replaced, superseded }
  }

  /** Compare-and-delete: a late end of an old carrier does not remove its successor. */
  unregister(name: string, hop: Hop): void {
    const left = (this.#agents.get(name) ?? []).filter(other => other !== hop)
    if (left.length > 0) this.#agents.set(name, left)
    else this.#agents.delete(name)
  }

  /** The names that `principal` may use, of those that take new sessions, sorted. */
  visibleTo(principal: Principal): string[] {
    return [...this.#agents.keys()]
      .filter(name => this.find(name) !== undefined && principal.agents.some(glob => globMatches(glob, name)))
      .sort()
  }
}

/** The newer one of two that have as many. */
const lessLoaded = (a: Hop, b: Hop): Hop => (a.legs.size < b.legs.size ? a : b)
