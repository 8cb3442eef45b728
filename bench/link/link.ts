/** A link in a process of its own: what it costs is not counted among the costs of a contender. */
import { Child } from '../child.ts'
import type { Profile } from './profile.ts'

export interface Link {
  /** Resolves with the port that leads over the link to `port`. */
  to(port: number): Promise<number>
  stop(): Promise<void>
}

export async function startLink(profile: Profile): Promise<Link> {
  const child = Child.own('link', 'processes/link.ts', [JSON.stringify(profile)])
  await child.message()
  let latest: Promise<unknown> = Promise.resolve()
  return {
    to: port => {
      // One request at a time, also when a contender asks for several ways at once.
      const way = latest.then(() => child.request<number>(port))
      latest = way.catch(() => undefined)
      return way
    },
    stop: () => child.stop(),
  }
}
