/**
 * The few requests that tunnelctl makes to a Kubernetes API: get, post, and watch. Credentials are read again for each, because
 * the kubelet renews them (Kubernetes, "Bound service account tokens").
 */
import { readFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { TunnelError } from '../errors.ts'
import { readSmallFile, readSmallStream } from '../net/smallfile.ts'

export interface ApiAccess {
  readonly url: URL
  /** PEM. Absent: the authorities of the system. */
  readonly caFile?: string
  readonly tokenFile?: string
}

/** An answer of the API that says no. */
export class ApiError extends Error {
  readonly status: number

  /** @param message of the API's own, untrusted */
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
const TIMEOUT_MS = 30_000
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
const MAX_TOKEN_BYTES = 16 * 1024
const MAX_LINE_BYTES = 4 * 1024 * 1024

/** That of the pod in which this process runs; undefined outside of one. */
export function podAccess(env: Readonly<Record<string, string | undefined>>): ApiAccess | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  if (host === undefined || host === '') return undefined
  const url = new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`)
  return { url, caFile: `${ACCOUNT}/ca.crt`, tokenFile: `${ACCOUNT}/token` }
}

export interface Watcher {
  opened(): void
  event(value: Record<string, unknown>): void
}

export class KubernetesApi {
  readonly #access: ApiAccess

  constructor(access: ApiAccess) {
    this.#access = access
  }

  /** @throws ApiError, or TunnelError UNREACHABLE when the API does not answer */
  async get(path: string, signal: AbortSignal): Promise<Record<string, unknown>> {
    return await objectFrom(await this.#ask('GET', path, undefined, signal))
  }

  /** Throws as `get`. */
  async post(path: string, body: object, signal: AbortSignal): Promise<Record<string, unknown>> {
    return await objectFrom(await this.#ask('POST', path, body, signal))
  }

  /**
   * Calls `opened` when the API answers, then `event` for each line of the watch, until the API ends it. `event` may throw an
   * ApiError, which ends the watch, too.
   * @throws as `get`, and that of `event`
   */
  async watch(path: string, { opened, event }: Watcher, signal: AbortSignal): Promise<void> {
    const answer = await this.#ask('GET', path, undefined, signal)
    if (answer.statusCode !== 200) throw await refusal(answer)
    // It may be silent for minutes.
    answer.socket.setTimeout(0)
    opened()
    answer.setEncoding('utf8')
    let rest = ''
    try {
      for await (const text of answer as AsyncIterable<string>) {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > MAX_LINE_BYTES) throw unreachable('an event is too long')
        for (const line of lines) if (line !== '') event(parsed(line))
      }
    } catch (thrown) {
      if (thrown instanceof ApiError || thrown instanceof TunnelError) throw thrown
      throw unreachable((thrown as Error).message)
    }
  }

  async #ask(method: string, path: string, body: object | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    const { url, caFile, tokenFile } = this.#access
    const token =
      tokenFile === undefined ? undefined : (await readSmallFile(tokenFile, MAX_TOKEN_BYTES, 'TOKEN_FILE')).text.trim()
    const ca = caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8').catch(() => undefined) }
    const headers = {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    }
    return await new Promise((resolve, reject) => {
      const secure = url.protocol === 'https:'
      const options = { method, headers, signal, timeout: TIMEOUT_MS, ...ca }
      const request = (secure ? httpsRequest : httpRequest)(new URL(path, url), options, resolve)
      request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)))
      request.on('error', error => reject(unreachable(error.message)))
      request.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
}

async function objectFrom(answer: IncomingMessage): Promise<Record<string, unknown>> {
  if (answer.statusCode !== 200 && answer.statusCode !== 201) throw await refusal(answer)
  const text = await readSmallStream(answer, MAX_ANSWER_BYTES).catch(() => undefined)
  if (text === undefined) throw unreachable('its answer is too long, or was cut')
  return parsed(text)
}

async function refusal(answer: IncomingMessage): Promise<ApiError> {
  const text = (await readSmallStream(answer, 64 * 1024).catch(() => undefined)) ?? ''
  let message = `status ${answer.statusCode}`
  try {
    const { message: said } = JSON.parse(text) as { message?: unknown }
    if (typeof said === 'string') message = said
  } catch {
    // The status says enough.
  }
  return new ApiError(answer.statusCode ?? 0, message)
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw unreachable('its answer is not JSON')
}

function unreachable(why: string): TunnelError {
  return new TunnelError('UNREACHABLE', `the Kubernetes API does not answer: ${why}`, { hint: '', retryable: true })
}
