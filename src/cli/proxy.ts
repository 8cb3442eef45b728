/** The proxy of a corporate network, as every tool there finds it: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, also in lower case. */
import type { Agent } from 'node:http'
import { TunnelError } from '../errors.ts'
import { isLoopback } from '../net/loopback.ts'

type Env = Readonly<Record<string, string | undefined>>

const VARIABLES = ['https_proxy', 'http_proxy', 'all_proxy'] as const

export interface Proxy {
  /** Without user and password. */
  readonly host: string
  readonly agent: Agent
}

/**
 * What carries a connection to `url` by CONNECT; undefined when it is to be made directly, as it always is to this machine.
 * @throws TunnelError USAGE for a proxy that is none
 */
export async function proxyFor(url: URL, env: Env): Promise<Proxy | undefined> {
  const isSet = VARIABLES.some(name => (env[name] ?? env[name.toUpperCase()] ?? '') !== '')
  if (!isSet || isLoopback(url.hostname)) return undefined
  const { getProxyForUrl } = await import('proxy-from-env')
  // A WebSocket goes the way of its HTTP.
  const text = getProxyForUrl(url.href.replace(/^ws/, 'http'))
  if (text === '') return undefined
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new TunnelError('USAGE', 'the proxy in the environment is no http or https URL', {
      hint: 'write it as HTTPS_PROXY=http://proxy.example.com:3128, or leave the gateway out with NO_PROXY',
    })
  }
  const { HttpsProxyAgent } = await import('https-proxy-agent')
  return { host: new URL(text).host, agent: new HttpsProxyAgent(text) }
}
