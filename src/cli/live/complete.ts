/**
 * `tunnelctl __complete KIND WORD [the words of the line]`: what completion scripts ask at a TAB. It prints candidates, one a
 * line, from a cache that is refreshed behind the user's back; it never waits long, and never says what went wrong.
 */
import type { Io } from '../io.ts'
import { type Cached, cacheFile, modifiedAt, readCache } from './cache.ts'

const FRESH_MS = 30_000
/** What is older is not offered before it was asked for again. */
const USABLE_MS = 24 * 60 * 60_000
const PATIENCE_MS = 900
const LOOK_MS = 20

/** Flags of the line that decide who is asked, and the variables that say the same. */
const asking: ReadonlyMap<string, string> = new Map([
  ['--gateway', 'TUNNELCTL_GATEWAY'],
  ['--context', 'TUNNELCTL_CONTEXT'],
  ['--token-file', 'TUNNELCTL_TOKEN_FILE'],
  ['--ca-file', 'TUNNELCTL_CA_FILE'],
  ['--tls-server-name', 'TUNNELCTL_TLS_SERVER_NAME'],
  ['--client-cert', 'TUNNELCTL_CLIENT_CERT'],
  ['--client-key', 'TUNNELCTL_CLIENT_KEY'],
  ['--header-file', 'TUNNELCTL_HEADER_FILE'],
])

/** Never rejects; the exit code is always 0. */
export async function complete(args: readonly string[], io: Io): Promise<number> {
  const [kind = '', word = '', ...line] = args
  try {
    const found = await candidates(kind, word, line, io)
    const all = [...new Set(found)].filter(candidate => candidate.startsWith(word))
    io.stdout.write(all.map(candidate => `${candidate}\n`).join(''))
  } catch {
    // Whoever presses TAB wants a word, not a reason.
  }
  return 0
}

async function candidates(kind: string, word: string, line: readonly string[], io: Io): Promise<string[]> {
  if (kind === 'contexts') return await contexts(io)
  if (kind === 'detached') return await detached(word, line, io)
  return await fromDirectory(kind, word, line, io)
}

/** Those that run, and are not on the line already. */
async function detached(word: string, line: readonly string[], { env }: Io): Promise<string[]> {
  const { listDetached } = await import('../detached.ts')
  return listDetached(env)
    .map(({ name }) => name)
    .filter(name => name === word || !line.includes(name))
}

async function contexts({ env }: Io): Promise<string[]> {
  const [{ Config }, { configFile }] = await Promise.all([import('../config/config.ts'), import('../config/paths.ts')])
  return (await Config.load(configFile(env))).names
}

async function fromDirectory(kind: string, word: string, line: readonly string[], io: Io): Promise<string[]> {
  const env = { ...io.env }
  for (const [flag, variable] of asking) env[variable] = valueAfter(line, flag) ?? env[variable]
  const { targets } = await directory(env)
  const agent = valueAfter(line, '--agent')
  const namespace = valueAfter(line, '--namespace') ?? valueAfter(line, '-n')
  const chosen = targets.filter(
    each => (agent === undefined || each.agent === agent) && (namespace === undefined || each.namespace === namespace),
  )
  switch (kind) {
    case 'agents':
      return targets.map(each => each.agent)
    case 'namespaces':
      return targets.map(each => each.namespace)
    case 'targets': {
      // `5433:`, `0.0.0.0:5433:` and `unix:PATH:` stand before a target.
      const [local = ''] = /^(?:unix:.*:|(?:[^:/]+:|\[[^\]]*\]:)?[0-9]+:)/.exec(word) ?? []
      return chosen.map(({ target }) => `${local}${target}`)
    }
    default:
      return []
  }
}

async function directory(env: NodeJS.ProcessEnv): Promise<Cached> {
  const file = cacheFile(env)
  const cached = readCache(file)
  const age = cached === undefined ? Number.POSITIVE_INFINITY : Date.now() - cached.at
  if (cached !== undefined && age >= 0 && age < FRESH_MS) return cached
  const before = modifiedAt(file)
  const { startRefresh } = await import('./refresh.ts')
  startRefresh(file, env)
  if (cached !== undefined && age < USABLE_MS) return cached
  const until = Date.now() + PATIENCE_MS
  while (Date.now() < until && modifiedAt(file) === before) await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  return readCache(file) ?? { at: 0, targets: [] }
}

/** Of `--flag value`, `--flag=value`, and of bash, which makes a word of the `=`. */
function valueAfter(line: readonly string[], flag: string): string | undefined {
  const at = line.findLastIndex(word => word === flag || word.startsWith(`${flag}=`))
  const word = line[at]
  if (word === undefined) return undefined
  if (word !== flag) return word.slice(flag.length + 1)
  return line[at + 1] === '=' ? line[at + 2] : line[at + 1]
}
