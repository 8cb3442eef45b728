/**
 * The routes that an operator has written, and their renewal while requests go on:
 *
 *     routes:
 *       - host: app.example.com
 *         path: /api
 *         target: api/prod:8080
 *         access: public
 */
import { addressRanges } from '../../net/cidr.ts'
import { isAgentName } from '../../net/claims.ts'
import { parseDuration } from '../../net/duration.ts'
import { quote } from '../../net/quote.ts'
import { parseTarget } from '../../net/target.ts'
import type { Log } from '../../observe/log.ts'
import { Reloaded } from '../reloaded.ts'
import { type Fields, Settings } from '../settings.ts'

import { hostOf } from './host.ts'
import type { HostRoute, RouteDefaults } from './routes.ts'

export interface RouteFileOptions {
  readonly file: string
  readonly defaults: RouteDefaults
  /** Takes over all routes of a reading, the first one too. */
  readonly changed: (routes: readonly HostRoute[]) => void
  readonly log: Log
}

const HINT = 'see "Routes" in docs/operations.md'
const KEYS = [
  'host',
  'path',
  'target',
  'agent',
  'access',
  'allowCidrs',
  'upgrade',
  'responseTimeout',
  'idleTimeout',
  'headers',
  'passthrough',
]
/** Whoever lets it pass lets a client speak HTTP/2 past every check (RFC 9113, 3.1). */
const NEVER_UPGRADED = /^h2c?$/
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]{1,64}(?:\/[!#$%&'*+.^_`|~0-9a-z-]{1,64})?$/
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]{0,4096}$/
/** They say where a message ends, or go no further than one connection. */
const NO_FIELD = /^(?:content-length|transfer-encoding|connection|upgrade|te|trailer|keep-alive|proxy-.*|expect)$/i

/** @throws TunnelError USAGE naming the first thing that is wrong */
export async function loadRoutes(options: RouteFileOptions): Promise<Reloaded<readonly HostRoute[]>> {
  const { file, defaults, changed, log } = options
  const read = async () => routesOf(await Settings.load(file, 'routes', HINT), defaults)
  const describe = (routes: readonly HostRoute[]) => ({ file, routes: routes.length })
  const readings = await Reloaded.load({ what: 'routes', files: [file], read, changed, describe, log })
  changed(readings.current)
  return readings
}

/** @throws TunnelError USAGE */
export function parseRoutes(text: string, file: string, defaults: RouteDefaults): readonly HostRoute[] {
  return routesOf(new Settings(text, `the routes in ${file}`, HINT), defaults)
}

function routesOf(settings: Settings, defaults: RouteDefaults): readonly HostRoute[] {
  const { routes } = settings.fields(settings.value, ['routes'], 'it')
  const all = settings.list(routes, 'routes').map((each, index) => routeOf(settings, each, index + 1, defaults))
  const seen = new Set<string>()
  for (const { host, path } of all) {
    if (seen.has(`${host}${path}`)) throw settings.malformed(`two routes are for ${host}${path}`)
    seen.add(`${host}${path}`)
  }
  return all
}

function routeOf(settings: Settings, value: unknown, position: number, defaults: RouteDefaults): HostRoute {
  const what = `route ${position}`
  const fields = settings.fields(value, KEYS, what)
  const { host, path = '/', target, agent, access = 'token', allowCidrs, upgrade, passthrough = false } = fields
  const name = hostPattern(settings.text(host, `${what}: host`))
  if (name === undefined) throw settings.malformed(`${what}: ${quote(String(host))} is no host`)
  if (typeof path !== 'string' || !/^\/[\x21-\x24\x26-\x3e\x40-\x7e]*$/.test(path)) {
    throw settings.malformed(`${what}: path is not one without % and ?, from / on`)
  }
  if (access !== 'token' && access !== 'public') throw settings.malformed(`${what}: access is token or public`)
  if (agent !== undefined && (typeof agent !== 'string' || !isAgentName(agent))) {
    throw settings.malformed(`${what}: agent is not the name of one`)
  }
  const dialled = settings.parsed(what, () => parseTarget(settings.text(target, 'target')))
  if (dialled.protocol !== 'tcp') throw settings.malformed(`${what}: the target is not of TCP`)
  if (typeof passthrough !== 'boolean') throw settings.malformed(`${what}: passthrough is true or false`)
  const needless = ['path', 'upgrade', 'headers', 'responseTimeout'].find(key => fields[key] !== undefined)
  if (passthrough && (access !== 'public' || needless !== undefined)) {
    throw settings.malformed(
      `${what}: what is passed through is public, and has no ${needless ?? 'token'} that could be seen`,
    )
  }
  const ranges = allowCidrs === undefined ? undefined : settings.texts(allowCidrs, `${what}: allowCidrs`)
  return {
    host: name,
    path,
    route: {
      target: dialled,
      ...(agent !== undefined && { agent }),
      access,
      ...(ranges !== undefined && { allowed: settings.parsed(what, () => addressRanges(ranges)) }),
      upgrades: upgradesOf(settings, upgrade, what),
      responseTimeoutMs: duration(settings, fields, 'responseTimeout', what) ?? defaults.responseTimeoutMs,
      idleTimeoutMs: duration(settings, fields, 'idleTimeout', what) ?? defaults.idleTimeoutMs,
      headers: headersOf(settings, fields.headers, what),
      passthrough,
    },
  }
}

/** `app.example.com`, `*.example.com`. */
function hostPattern(text: string): string | undefined {
  const wildcard = text.startsWith('*.')
  const host = hostOf(wildcard ? text.slice(2) : text)
  if (host === undefined || text.includes(':')) return undefined
  return wildcard ? `*.${host}` : host
}

function upgradesOf(settings: Settings, value: unknown, what: string): ReadonlySet<string> {
  if (value === undefined) return new Set(['websocket'])
  if (Array.isArray(value) && value.length === 0) return new Set()
  const tokens = settings.texts(value, `${what}: upgrade`).map(token => token.toLowerCase())
  const wrong = tokens.find(token => !TOKEN.test(token) || NEVER_UPGRADED.test(token))
  if (wrong !== undefined) throw settings.malformed(`${what}: upgrade to ${quote(wrong)} is not passed on`)
  return new Set(tokens)
}

function duration(settings: Settings, fields: Fields, key: string, what: string): number | undefined {
  const value = fields[key]
  if (value === undefined) return undefined
  const ms = settings.parsed(what, () => parseDuration(settings.text(value, key)))
  if (ms < 1_000) throw settings.malformed(`${what}: ${key} is under 1 s`)
  return ms
}

function headersOf(settings: Settings, value: unknown, what: string): readonly (readonly [string, string])[] {
  if (value === undefined) return []
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw settings.malformed(`${what}: headers is not a map`)
  }
  return Object.entries(value).map(([name, text]) => {
    const valid = FIELD_NAME.test(name) && !NO_FIELD.test(name) && FIELD_VALUE.test(String(text))
    if (!valid || typeof text === 'object') throw settings.malformed(`${what}: the header ${quote(name)} cannot be set`)
    return [name, String(text)]
  })
}
