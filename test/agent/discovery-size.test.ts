/** A large cluster in an agent: what 5,000 services and 20,000 changes of their endpoints leave behind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Discovery } from '../../src/agent/discovery.ts'
import { changeMessages } from '../../src/agent/publish.ts'
import { systemClock } from '../../src/clock.ts'
import { Published } from '../../src/gateway/published.ts'
import { KubernetesApi } from '../../src/kubernetes/api.ts'
import { nullLog } from '../../src/observe/log.ts'
import { decodeJson } from '../../src/wire/message.ts'
import { KubeApi } from '../support/kube-api.ts'

const SERVICES = 5_000
const CHANGES = 20_000
const MAX_BYTES = 40 * 1024 * 1024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heldBytes(): number {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

test('they fit into 40 MB, and what the gateway knows in the end is what there is', { timeout: 120_000 }, async t => {
  const kube = await KubeApi.start(t)
  kube.pageSize = 500
  for (let index = 0; index < SERVICES; index++) {
    const namespace = `team-${index % 50}`
    kube.service(namespace, `service-${index}`, [
      { port: 8080, name: 'http' },
      { port: 9090, name: 'metrics' },
    ])
    kube.slice(namespace, `service-${index}`, [true, true])
  }
  const gateway = new Published()
  const discovery = new Discovery({
    api: new KubernetesApi({ url: new URL(kube.url) }),
    clock: systemClock,
    wallNow: () => 1_790_000_000_000,
    random: () => 0,
    log: nullLog,
    changed: change => {
      for (const message of changeMessages(change)) gateway.apply(decodeJson(message))
    },
  })
  const before = heldBytes()
  const end = new AbortController()
  const running = discovery.run(end.signal)
  const settled = async (what: string, holds: () => boolean): Promise<void> => {
    for (let look = 0; !holds(); look++) {
      assert.ok(look < 6_000, what)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
  const ready = () => [...gateway.services].filter(each => each.ready !== false).length
  await settled('all are known, and both kinds watched', () => ready() === SERVICES && kube.watches === 2)
  for (let change = 0; change < CHANGES; change++) {
    const index = change % SERVICES
    kube.slice(`team-${index % 50}`, `service-${index}`, [change % 3 === 0, false])
    if (change % 500 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  const last = (index: number): number => CHANGES - SERVICES + index
  const wanted = Array.from({ length: SERVICES }, (_, index) => last(index) % 3 === 0).filter(Boolean).length
  await settled('the last change is known', () => ready() === wanted)
  // The agent's copy, and in this process the gateway's too.
  const grown = heldBytes() - before
  t.diagnostic(`${Math.round(grown / 1024 / 1024)} MB are held`)
  assert.ok(grown < MAX_BYTES, `${Math.round(grown / 1024 / 1024)} MB are held`)
  end.abort()
  await running
})
