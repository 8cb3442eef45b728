/** What the gateway tells a client of agents and services, asked for and read field by field. */

import type { GatewayAddress } from '../carrier/approach.ts'
import { askGateway } from '../carrier/ask.ts'
import { isAgentName } from '../net/claims.ts'
import { type PublishedService, publishedFromJson, timeFromJson } from '../net/published.ts'
import { tokenOf } from './dialler.ts'
import { type GatewayFlags, gatewayAddress } from './gateway-options.ts'
import type { Io } from './io.ts'
import { shutdownOnSignals } from './signals.ts'

export interface ListedAgent {
  readonly name: string
  readonly services: readonly PublishedService[]
  /** Milliseconds since 1970: they are as they were then, and nothing newer is known. */
  readonly staleSince?: number
}

/** A gateway, and the token for it, if there is one. */
export interface GatewayAccess extends GatewayAddress {
  readonly token: string | undefined
}

/** @throws TunnelError as `connect` would when it dials */
export async function askDirectory(flags: GatewayFlags, io: Io): Promise<readonly ListedAgent[]> {
  const address = await gatewayAddress(flags, io)
  const token = await tokenOf(flags, io)
  const shutdown = shutdownOnSignals()
  try {
    return await readDirectory({ ...address, token, signal: shutdown.signal })
  } finally {
    shutdown.release()
  }
}

/** @throws TunnelError as `askDirectory` */
export async function readDirectory(access: GatewayAccess & { readonly signal: AbortSignal }): Promise<ListedAgent[]> {
  const { body } = await askGateway({ ...access, path: '/v1/services' })
  return read(body)
}

function read(answer: unknown): ListedAgent[] {
  const { agents } = (typeof answer === 'object' && answer !== null ? answer : {}) as { agents?: unknown }
  if (!Array.isArray(agents)) return []
  return agents.flatMap((agent: { name?: unknown; services?: unknown; staleSince?: unknown } | null) => {
    const { name, services, ...rest } = agent ?? {}
    if (typeof name !== 'string' || !isAgentName(name)) return []
    const listed = Array.isArray(services) ? services : []
    const staleSince = timeFromJson(rest.staleSince)
    const read = listed.flatMap(service => publishedFromJson(service) ?? [])
    return [{ name, services: read, ...(staleSince !== undefined && { staleSince }) }]
  })
}
