/**
 * The last check of `tunnelctl doctor`: what the leg to the gateway carries, and the whole path to the agent. It finds nothing
 * wrong, however slow a path is; an older gateway or agent that cannot be measured is no failure.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Readable, Writable } from 'node:stream'
import { approach } from '../../carrier/approach.ts'
import { gatewayEndpoint } from '../../carrier/dial.ts'
import { systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { MeasureWay, measureTarget, pour } from '../../net/measure.ts'
import { readSmallStream } from '../../net/smallfile.ts'
import { formatRate } from '../output/units.ts'
import { type Known, type Patient, TIMEOUT_MS } from './patient.ts'
import { withProbe } from './probe.ts'

/** Each way of each leg is measured for this long: long enough for a window to open over a few round trips. */
const MEASURE_MS = 1_000
const MAX_COUNT_BYTES = 32

export async function throughput(patient: Patient, known: Known): Promise<string> {
  const first = await measured(async () => {
    const post = await ask(patient, known, 'POST')
    const up = await upRate(post, answerTo(post))
    const get = await ask(patient, known, 'GET')
    return rates(up, await downRate(await answerTo(get.end())))
  })
  const whole = await measured(() =>
    withProbe(patient, known, measureTarget, async ({ dial }) => {
      const [up, down] = [await dial(), await dial()]
      up.write(Buffer.of(MeasureWay.UP))
      down.write(Buffer.of(MeasureWay.DOWN))
      return rates(await upRate(up, Promise.resolve(up)), await downRate(down))
    }),
  )
  return `to the gateway ${first}; to the agent ${whole}`
}

const rates = (up: number, down: number): string => `${formatRate(up)} up, ${formatRate(down)} down`

async function measured(task: () => Promise<string>): Promise<string> {
  try {
    return await task()
  } catch (thrown) {
    if (!(thrown instanceof TunnelError) || thrown.code === 'INTERRUPTED') throw thrown
    return `cannot be measured (${thrown.message})`
  }
}

async function ask({ signal }: Patient, { address, token }: Known, method: 'GET' | 'POST'): Promise<ClientRequest> {
  const { url } = address
  const endpoint = gatewayEndpoint(url, '/v1/measure')
  const options = { agent: false, ...(await approach(address, token)), method, signal, timeout: TIMEOUT_MS }
  const request = (url.protocol === 'wss:' ? httpsRequest : httpRequest)(endpoint, options)
  request.on('timeout', () => request.destroy())
  return request
}

function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('error', error => reject(new TunnelError('GATEWAY_UNREACHABLE', error.message)))
    request.on('response', response => {
      if (response.statusCode === 200) return resolve(response)
      reject(new TunnelError('GATEWAY_UNREACHABLE', `status ${response.statusCode}`))
      response.destroy()
    })
  })
}

/** In bytes per second, as the far end has counted them. */
async function upRate(to: Writable, answer: Promise<Readable>): Promise<number> {
  const since = systemClock.now()
  pour(to, () => systemClock.now() - since < MEASURE_MS)
  const text = await readSmallStream(await answer, MAX_COUNT_BYTES)
  return Number(text) / secondsSince(since)
}

async function downRate(from: Readable): Promise<number> {
  const since = systemClock.now()
  let bytes = 0
  from.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  const stop = setTimeout(() => from.destroy(), MEASURE_MS)
  await new Promise<void>(resolve => from.once('close', resolve))
  clearTimeout(stop)
  return bytes / secondsSince(since)
}

const secondsSince = (since: number): number => Math.max(1, systemClock.now() - since) / 1000
