/** A contender while it is compared. */
import { type Check, checkPath } from './checks.ts'
import type { Contender, Running } from './contenders/contender.ts'
import { type Link, startLink } from './link/link.ts'
import type { Profile } from './link/profile.ts'
import type { Load } from './load.ts'
import type { Absence } from './result.ts'
import type { Services } from './services.ts'

export interface Entrant {
  readonly contender: Contender
  readonly running?: Running
  readonly link?: Link
  skipped?: string
  failed?: string
}

/** Starts it, over a link of its own if there is a profile for one. What hinders it stands in the result. */
export async function enter(contender: Contender, services: Services, profile?: Profile): Promise<Entrant> {
  if (contender.missing !== undefined) return { contender, skipped: contender.missing }
  try {
    if (!profile) return { contender, running: await contender.start(services.ports, {}) }
    return { contender, ...(await enterOver(await startLink(profile), contender, services)) }
  } catch (error) {
    return { contender, failed: reason(error) }
  }
}

async function enterOver(
  link: Link,
  contender: Contender,
  services: Services,
): Promise<Pick<Entrant, 'link' | 'running'>> {
  try {
    return { link, running: await contender.start(services.ports, { link: port => link.to(port) }) }
  } catch (error) {
    await link.stop()
    throw error
  }
}

/** Looks whether it carries bytes right; one that does not takes no further part. */
export async function check(
  entrant: Entrant,
  services: Services,
  load: Load,
  bytes: number,
): Promise<readonly Check[]> {
  if (!entrant.running) return []
  try {
    return await checkPath(entrant.contender, entrant.running.ports, services, load, bytes)
  } catch (error) {
    entrant.failed = `check: ${reason(error, entrant.running)}`
    return []
  }
}

export async function leave(entrants: readonly Entrant[]): Promise<void> {
  await Promise.all(entrants.map(({ running }) => running?.stop()))
  await Promise.all(entrants.map(({ link }) => link?.stop()))
}

/** Why it gives nothing, if so. */
export function absence({ skipped, failed }: Entrant): Absence {
  return { ...(skipped !== undefined && { skipped }), ...(failed !== undefined && { failed }) }
}

/** What went wrong, and which process on the way has ended, if any has. */
export function reason(error: unknown, running?: Running): string {
  const message = error instanceof Error ? error.message : String(error)
  const ended = running?.processes.find(child => child.end !== undefined)
  return ended ? `${message} (${ended.role} ${ended.end})` : message
}
