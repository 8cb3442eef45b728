/** What dials the gateway: with the token that is good now, or without one where a certificate names this end. */
import { existsSync } from 'node:fs'
import type { GatewayAddress } from '../carrier/approach.ts'
import type { Carrier } from '../carrier/carrier.ts'
import { dialGateway } from '../carrier/dial.ts'
import { systemClock } from '../clock.ts'
import type { Role } from '../net/claims.ts'
import { grantFile, readToken } from '../token/secret.ts'
import { type GatewayFlags, gatewayAddress, gatewayUrl } from './gateway-options.ts'
import type { Io } from './io.ts'
import { warn } from './warning.ts'

export interface GatewayDialler {
  readonly address: GatewayAddress
  /** Absent: a certificate names this end. */
  readonly token: string | undefined
  readonly dial: (signal: AbortSignal) => Promise<Carrier>
}

/**
 * The function that dials the gateway; it reads the token again each time, so that a rotated file is picked up. The token
 * is read once here too, so that a wrong file is told at once.
 * @throws TunnelError USAGE, TOKEN_FILE, KEY_FILE
 */
export async function gatewayDialler(flags: GatewayFlags, role: Role, io: Io): Promise<GatewayDialler> {
  const address = await gatewayAddress(flags, io)
  const first = await tokenOf(flags, io)
  return {
    address,
    token: first,
    dial: async signal => {
      const token =
        flags.tokenFile === undefined || flags.tokenFile === '-' ? first : await freshToken(flags, io, silently)
      return await dialGateway({ ...address, role, token, clock: systemClock, signal })
    },
  }
}

/** About the file, the first time. */
const silently = (): void => {}

/**
 * The token, renewed if it is due, with a warning when others may read its file; undefined when there is none, and a certificate
 * names this end.
 * @throws TunnelError TOKEN_FILE
 */
export async function tokenOf(flags: GatewayFlags, io: Io): Promise<string | undefined> {
  if (isTokenGiven(flags, io)) return await freshToken(flags, io, message => warn(io, message))
  const byCertificate = flags.clientCert !== undefined && gatewayUrl(flags).protocol === 'wss:'
  return byCertificate ? undefined : await readToken(io)
}

export const isTokenGiven = ({ tokenFile }: GatewayFlags, { env }: Pick<Io, 'env'>): boolean =>
  tokenFile !== undefined || (env.TUNNELCTL_TOKEN ?? '') !== ''

async function freshToken(
  { tokenFile }: GatewayFlags,
  { env, stdin }: Io,
  warn: (message: string) => void,
): Promise<string> {
  if (tokenFile !== undefined && existsSync(grantFile(tokenFile))) {
    const { renewIfDue } = await import('./renewal.ts')
    await renewIfDue(tokenFile, Date.now)
  }
  return await readToken({ tokenFile, env, stdin, warn })
}
