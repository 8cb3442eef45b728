/**
 * What renews a token that `login` has got from an issuer: a grant, kept in a file beside that of the token. Whoever is about
 * to read the token renews it first, when it is due; of several processes, one does.
 */
import { randomUUID } from 'node:crypto'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { TunnelError } from '../errors.ts'
import { readSmallFile } from '../net/smallfile.ts'
import { grantFile } from '../token/secret.ts'
import { inspectToken } from '../token/token.ts'
import type { LoginOffer, Tokens } from './oidc.ts'
import { writePrivately } from './own-file.ts'

interface Grant extends Omit<LoginOffer, 'scopes'> {
  /** Secret. */
  readonly refreshToken: string
}

const MAX_GRANT_BYTES = 32 * 1024
/** A token that ends sooner is renewed before it is used. */
const MARGIN_MS = 60_000
const TIMEOUT_MS = 10_000
/** Whoever held the lock for longer has died. */
const LOCK_STALE_MS = 3 * TIMEOUT_MS
const LOCK_LOOK_MS = 50

/** Keeps the token, and what renews it. */
export async function keepTokens(tokenFile: string, { issuer, clientId }: LoginOffer, tokens: Tokens): Promise<void> {
  const { idToken, refreshToken } = tokens
  const grant: Grant | undefined = refreshToken === undefined ? undefined : { issuer, clientId, refreshToken }
  // The grant first: the one before is spent, and without it the login would be lost.
  if (grant === undefined) await rm(grantFile(tokenFile), { force: true })
  else await writePrivately(grantFile(tokenFile), `${JSON.stringify(grant)}\n`)
  await writePrivately(tokenFile, `${idToken}\n`)
}

/**
 * Renews the token in `tokenFile` if it ends soon. An issuer that cannot be reached is no failure while the token is good.
 * @throws TunnelError UNAUTHENTICATED when the login has ended, ISSUER_UNREACHABLE, TOKEN_FILE
 */
export async function renewIfDue(tokenFile: string, now: () => number): Promise<void> {
  if ((await leftMs(tokenFile, now())) > MARGIN_MS) return
  await exclusively(`${grantFile(tokenFile)}.lock`, now, async () => {
    // Another process may have done it meanwhile.
    const left = await leftMs(tokenFile, now())
    if (left > MARGIN_MS) return
    try {
      const grant = await readGrant(grantFile(tokenFile))
      const { renewTokens } = await import('./oidc.ts')
      const tokens = await renewTokens(grant, grant.refreshToken, TIMEOUT_MS)
      await keepTokens(tokenFile, { ...grant, scopes: [] }, tokens)
    } catch (thrown) {
      if (left <= 0 || !(thrown instanceof TunnelError) || !thrown.retryable) throw thrown
    }
  })
}

async function leftMs(tokenFile: string, now: number): Promise<number> {
  const { text } = await readSmallFile(tokenFile, MAX_GRANT_BYTES, 'TOKEN_FILE')
  const { expiresAt = now } = inspectToken(text.trim(), now)
  return expiresAt - now
}

async function readGrant(file: string): Promise<Grant> {
  const { text } = await readSmallFile(file, MAX_GRANT_BYTES, 'TOKEN_FILE')
  try {
    const { issuer, clientId, refreshToken } = JSON.parse(text) as Record<string, unknown>
    if (typeof issuer === 'string' && typeof clientId === 'string' && typeof refreshToken === 'string') {
      return { issuer, clientId, refreshToken }
    }
  } catch {
    // Said below, without what the file holds.
  }
  throw new TunnelError('TOKEN_FILE', `${file} holds nothing that could renew the token`, {
    hint: 'log in with: tunnelctl login --gateway URL',
  })
}

/** A refresh token that is used twice ends the login at many issuers (RFC 9700, section 4.14.2). */
async function exclusively(lock: string, now: () => number, task: () => Promise<void>): Promise<void> {
  const owner = randomUUID()
  while (!(await taken(lock, owner))) {
    const holder = await ownerOf(lock)
    const since = await stat(lock).catch(() => undefined)
    if (since !== undefined && now() - since.mtimeMs > LOCK_STALE_MS) await release(lock, holder)
    else await delay(LOCK_LOOK_MS)
  }
  try {
    await task()
  } finally {
    await release(lock, owner)
  }
}

const ownerOf = (lock: string): Promise<string> => readFile(lock, 'utf8').catch(() => '')

/** Unless somebody else holds it by now. */
async function release(lock: string, owner: string): Promise<void> {
  if ((await ownerOf(lock)) === owner) await rm(lock, { force: true })
}

async function taken(lock: string, owner: string): Promise<boolean> {
  try {
    await writeFile(lock, owner, { flag: 'wx', mode: 0o600 })
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    // A folder that nobody can write to: then the token cannot be renewed either, which says why.
    return true
  }
}
