/** That a contender carries requests, bodies and messages right. Done before anything is measured. */
import type { Check } from '../checks.ts'
import type { Load } from '../load.ts'
import type { Ports } from '../services.ts'
import type { WebServices } from './services.ts'
import { digestPath, hostOf, largePath, smallPath } from './targets.ts'

const patienceMs = 60_000

/**
 * @param verify also compares bodies both ways, as large as those that are measured
 * @throws what differs
 */
export async function checkWay(
  contender: string,
  { web, sink, websocket }: Ports,
  services: WebServices,
  load: Load,
  verify: boolean,
): Promise<Check[]> {
  const checks: Check[] = []
  if (web !== undefined) {
    const body = await load.run('fetch', { port: web, host: hostOf('web'), path: smallPath })
    if (body !== services.small) throw new Error(`the small file has come as ${JSON.stringify(body.slice(0, 100))}`)
    checks.push({ contender, check: 'http', bytes: body.length })
  }
  if (websocket !== undefined) {
    const asked = { port: websocket, host: hostOf('websocket'), seconds: 0.1, connections: 2, window: 4 }
    const { samples } = await load.run('webSocketEchoes', asked)
    checks.push({ contender, check: 'websocket', bytes: samples * 125 })
  }
  if (!verify) return checks
  const { largeBytes, sha256 } = services
  if (web !== undefined) {
    const asked = { port: web, host: hostOf('web'), path: largePath, digest: true }
    const { digest } = await load.run('download', asked, patienceMs)
    if (digest?.sha256 !== sha256) throw new Error(`the large file has come with sha256 ${digest?.sha256}`)
    checks.push({ contender, check: 'body down', ...digest })
  }
  if (sink !== undefined) {
    const asked = { port: sink, host: hostOf('sink'), path: digestPath, bytes: largeBytes, digest: true }
    const { digest } = await load.run('upload', asked, patienceMs)
    if (digest) checks.push({ contender, check: 'body up', ...digest })
  }
  return checks
}
