/**
 * `tunnelctl.yaml`, which a team commits beside its code: the forwards that the work there needs.
 *
 *     forwards: [db/prod:5432, 6380:cache/prod:6379]
 *     profiles:
 *       staging:
 *         context: staging
 *         forwards: [db/staging:5432]
 *
 * It says what to open, on loopback alone, and never what to run, nor with which token: whoever clones a repository may type
 * `tunnelctl up` in it.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { TunnelError } from '../../errors.ts'
import { parseHostPort } from '../../net/listen.ts'
import { isLoopback } from '../../net/loopback.ts'
import { quote } from '../../net/quote.ts'
import { explainFileError } from '../../net/smallfile.ts'
import { parseForward } from '../../net/target.ts'

const PROFILE_FILE = 'tunnelctl.yaml'

/** Flags of `connect` that a profile may give. */
const flags = ['context', 'agent', 'namespace', 'socks5'] as const

const MAX_FILE_BYTES = 256 * 1024

/**
 * The arguments of `connect` for a profile, or for what stands at the top of the file, with the file that says so: `file`, or the
 * nearest one from `folder` upwards.
 * @throws TunnelError USAGE
 */
export async function profileArguments(
  name: string | undefined,
  { folder, file }: { readonly folder: string; readonly file?: string | undefined },
): Promise<{ readonly file: string; readonly args: readonly string[] }> {
  const found = file === undefined ? await nearest(folder) : { file, text: await read(file) }
  const whole = map(parsed(found.file, found.text), found.file, 'the file')
  const { profiles, ...top } = whole
  if (name === undefined) return { file: found.file, args: argumentsOf(top, found.file, 'the file') }
  const all = map(profiles ?? {}, found.file, 'profiles')
  const profile = all[name]
  if (profile === undefined) {
    const names = Object.keys(all)
    throw new TunnelError('USAGE', `${found.file} has no profile ${quote(name)}`, {
      hint: names.length === 0 ? 'it has none' : `there are: ${names.slice(0, 10).join(', ')}`,
    })
  }
  return {
    file: found.file,
    args: argumentsOf(map(profile, found.file, `profile ${name}`), found.file, `profile ${name}`),
  }
}

function argumentsOf({ forwards, ...others }: Record<string, unknown>, file: string, what: string): string[] {
  const args: string[] = []
  for (const [key, value] of Object.entries(others)) {
    if (!(flags as readonly string[]).includes(key)) {
      throw malformed(file, `${quote(key)} in ${what} means nothing: known are forwards, ${flags.join(', ')}`)
    }
    args.push(`--${key}=${text(value, file, `${key} in ${what}`)}`)
  }
  if (forwards !== undefined && !Array.isArray(forwards)) throw malformed(file, `forwards in ${what} is not a list`)
  const targets = (forwards ?? []).map((target: unknown) => text(target, file, `a forward in ${what}`))
  // A dash in front would make a flag of it.
  const flag = targets.find(target => target.startsWith('-'))
  if (flag !== undefined) throw malformed(file, `${quote(flag)} in ${what} is not a target`)
  const namespace = others.namespace === undefined ? undefined : String(others.namespace)
  const locals = [...targets.map(target => parseForward(target, namespace).address), socksAddress(others.socks5)]
  const open = locals.find(address => address !== undefined && !isLoopback(address))
  if (open !== undefined) {
    throw malformed(file, `${what} would listen on ${quote(open)}, and a committed file may open loopback only`)
  }
  if (targets.length === 0 && others.socks5 === undefined) throw malformed(file, `${what} has no forwards`)
  return [...args, ...targets]
}

const socksAddress = (value: unknown): string | undefined =>
  value === undefined || /^[0-9]+$/.test(String(value)) ? undefined : parseHostPort(String(value)).host

async function nearest(folder: string): Promise<{ file: string; text: string }> {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, PROFILE_FILE)
    try {
      return { file, text: await readFile(file, 'utf8') }
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw unreadable(file, thrown)
    }
    if (dirname(at) === at) {
      throw new TunnelError('USAGE', `there is no ${PROFILE_FILE} here, nor in a folder above`, {
        hint: 'write one: forwards: [db/prod:5432]',
      })
    }
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (thrown) {
    throw unreadable(file, thrown)
  }
}

function parsed(file: string, content: string): unknown {
  if (content.length > MAX_FILE_BYTES) throw malformed(file, `it is over ${MAX_FILE_BYTES / 1024} KiB`)
  try {
    return parse(content, { maxAliasCount: 0 }) ?? {}
  } catch (cause) {
    throw malformed(file, (cause as Error).message.split('\n')[0] ?? 'it is not YAML')
  }
}

function map(value: unknown, file: string, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw malformed(file, `${what} is not a map`)
}

function text(value: unknown, file: string, what: string): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw malformed(file, `${what} is not text`)
}

const malformed = (file: string, why: string): TunnelError =>
  new TunnelError('USAGE', `${file} is malformed: ${why}`, { hint: 'see tunnelctl up --help' })

const unreadable = (file: string, cause: unknown): TunnelError =>
  new TunnelError('USAGE', `cannot read ${file}: ${explainFileError(cause)}`, {
    cause,
    hint: 'see tunnelctl up --help',
  })
