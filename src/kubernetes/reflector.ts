/**
 * A copy of all objects of one kind, kept up to date: a list, then a watch from where the list was (Kubernetes API concepts,
 * "Efficient detection of changes").
 */
import { backoffMs } from '../carrier/backoff.ts'
import { type Clock, delay } from '../clock.ts'
import { ApiError, type KubernetesApi } from './api.ts'

export interface Reflection {
  /** All objects, in place of those that were there. */
  replaced(objects: readonly Record<string, unknown>[]): void
  changed(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: Record<string, unknown>): void
  /** The API answers a watch: from here on each change is told when it happens. */
  watching(): void
  /** The copy gets old: it is what it was when the API answered last. Told at each failure. */
  failed(error: Error): void
}

export interface ReflectorOptions {
  readonly api: Pick<KubernetesApi, 'get' | 'watch'>
  /** Of the collection: `/api/v1/services`. */
  readonly path: string
  readonly labelSelector?: string | undefined
  readonly reflection: Reflection
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
}

const PAGE = 500
const WATCH_SECONDS = 290
/** The API ends a watch before; where it does not, the network has lost it without a word. */
const MAX_WATCH_MS = 320_000
/** What lasts shorter than this counts towards the next delay. */
const STEADY_MS = 5_000
/** Of a watch: the version that it begins at is not known any more, and everything must be listed again. */
const GONE = 410

/** Runs until `signal` aborts. Never rejects. */
export async function reflect(options: ReflectorOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, reflection } = options
  let hasty = 0
  let version: string | undefined
  while (!signal.aborted) {
    const since = clock.now()
    try {
      version ??= await list(options, signal)
      version = await watch(options, version, signal)
    } catch (thrown) {
      if (signal.aborted) return
      if (version !== undefined && thrown instanceof ApiError && thrown.status === GONE) {
        version = undefined
      } else reflection.failed(thrown as Error)
    }
    // Also what ends in order is not begun again at once, over and over.
    hasty = clock.now() - since < STEADY_MS ? hasty + 1 : 0
    await delay(clock, backoffMs(hasty, random()), signal)
  }
}

async function list({ api, path, labelSelector, reflection }: ReflectorOptions, signal: AbortSignal): Promise<string> {
  const objects: Record<string, unknown>[] = []
  let next = ''
  for (;;) {
    const query = new URLSearchParams({ limit: String(PAGE) })
    if (labelSelector !== undefined) query.set('labelSelector', labelSelector)
    if (next !== '') query.set('continue', next)
    const { items, metadata } = await api.get(`${path}?${query}`, signal)
    if (Array.isArray(items)) objects.push(...(items as Record<string, unknown>[]))
    const { resourceVersion, continue: more } = (metadata ?? {}) as Record<string, unknown>
    if (typeof more === 'string' && more !== '') {
      next = more
      continue
    }
    reflection.replaced(objects)
    return String(resourceVersion ?? '')
  }
}

/** Returns the version to go on from, when the API has ended the watch in its time. */
async function watch(options: ReflectorOptions, from: string, signal: AbortSignal): Promise<string> {
  const { api, path, labelSelector, reflection, clock, random } = options
  let version = from
  const query = new URLSearchParams({
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: version,
    // Spread, so that the watches of all agents do not end at once.
    timeoutSeconds: String(Math.round(WATCH_SECONDS * (1 - random() / 5))),
  })
  if (labelSelector !== undefined) query.set('labelSelector', labelSelector)
  const event = ({ type, object }: Record<string, unknown>): void => {
    const { metadata, code } = (object ?? {}) as Record<string, unknown>
    if (type === 'ERROR') throw new ApiError(Number(code), 'the watch has failed')
    const { resourceVersion } = (metadata ?? {}) as Record<string, unknown>
    if (typeof resourceVersion === 'string') version = resourceVersion
    if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') {
      reflection.changed(type, object as Record<string, unknown>)
    }
  }
  const lost = new AbortController()
  const cancel = clock.after(MAX_WATCH_MS, () => lost.abort())
  const either = AbortSignal.any([signal, lost.signal])
  try {
    await api.watch(`${path}?${query}`, { opened: () => reflection.watching(), event }, either)
  } finally {
    cancel()
  }
  return version
}
