/** That a contender carries bytes right. Done before anything is measured: a fast wrong answer is worth nothing. */
import { get } from 'node:http'
import type { Contender } from './contenders/contender.ts'
import type { Load } from './load.ts'
import { httpBody, type Ports, type Services } from './services.ts'

export interface Check {
  readonly contender: string
  readonly check: string
  /** Compared, each way. */
  readonly bytes: number
  readonly sha256?: string
}

/** Of a message, of those that go there and back. */
const messageBytes = 64
const messagesSeconds = 0.2

/**
 * The cheap checks always; the transfers when the blob service runs. A contender that cuts half-open connections gets
 * only those in which nobody says that it is done before it has everything.
 * @param bytes how much is sent up in the transfer; what comes down is the blob
 * @throws what differs
 */
export async function checkPath(
  { name: contender, cutsHalfOpen }: Pick<Contender, 'name' | 'cutsHalfOpen'>,
  ports: Ports,
  services: Services,
  load: Load,
  bytes: number,
): Promise<Check[]> {
  const checks: Check[] = []
  if (ports.echo !== undefined && cutsHalfOpen) {
    const argument = { port: ports.echo, seconds: messagesSeconds, bytes: messageBytes }
    const { samples } = await load.run('roundtrip', argument)
    checks.push({ contender, check: 'echo without FIN', bytes: samples * messageBytes })
  } else if (ports.echo !== undefined) {
    const echoed = await load.run('echo', { port: ports.echo, bytes: 2 ** 20 })
    checks.push({ contender, check: 'echo', ...echoed })
  }
  if (ports.http !== undefined) {
    const body = await fetchBody(ports.http)
    if (body !== httpBody) throw new Error(`the HTTP body is ${JSON.stringify(body)}, not ${JSON.stringify(httpBody)}`)
    checks.push({ contender, check: 'http', bytes: Buffer.byteLength(body) })
  }
  if (ports.blob !== undefined && !cutsHalfOpen) {
    const up = await load.run('up', { port: ports.blob, bytes }, 60_000)
    checks.push({ contender, check: 'transfer up', ...up })
    const down = await load.run('down', { port: ports.blob }, 60_000)
    if (down.sha256 !== services.sha256)
      throw new Error(`${down.bytes} bytes came down with sha256 ${down.sha256}, the service sent ${services.sha256}`)
    checks.push({ contender, check: 'transfer down', ...down })
  }
  return checks
}

function fetchBody(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', agent: false, timeout: 5_000 }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve(body))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error('no HTTP answer within 5 s')))
    request.on('error', reject)
  })
}
