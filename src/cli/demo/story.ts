/** What the demo does, act by act, and what came of it. */
import { delay, systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'
import { formatBytes, formatMs, formatRate } from '../output/units.ts'
import { failed } from './child.ts'
import { type Forwards, PING_MS } from './forwards.ts'
import type { Story } from './page.ts'
import type { Stage } from './stage.ts'
import {
  askForPages,
  download,
  EchoTransfer,
  median,
  publish,
  type Requests,
  type Transfer,
  upload,
} from './traffic.ts'

export interface Figures {
  readonly requests: Requests
  readonly down: Transfer
  readonly up: Transfer
  /** Of the transfer both ways that the gateway was killed under. */
  readonly echo: Transfer & { readonly atKill: number }
  readonly gapMs: number
  readonly ping: { readonly calmMs: number; readonly busyMs: number }
}

const REQUESTS_MS = 1_000
const BULK_MS = 1_000
/** How long the echo runs before the gateway is killed, and at least once it is back. */
const ECHO_MS = 700
/** The gateway stays dead this long, so that one can see it. */
const DEAD_MS = 400

/**
 * Plays the whole story, some six seconds.
 * @throws TunnelError at the first thing that is not as promised, or the reason of `signal`
 */
export async function play(stage: Stage, forwards: Forwards, signal: AbortSignal): Promise<Figures> {
  const web = { port: forwards.ports.web, signal }
  const act = <T>(doing: Promise<T>): Promise<T> => doing.catch(thrown => Promise.reject(reasonOf(thrown, signal)))

  forwards.note('small requests: the page of web/demo:80, again and again')
  const requests = await act(askForPages(web, REQUESTS_MS))
  const calmMs = median(forwards.pingsMs)
  forwards.note('bulk data: down from web/demo:80, then up to it')
  const down = await act(download(web, BULK_MS))
  const up = await act(upload(web, BULK_MS))
  const busyMs = median(forwards.pingsMs.slice(-BULK_MS / PING_MS))

  forwards.note('bulk data to echo/demo:7 and back, on one connection')
  const echo = new EchoTransfer({ port: forwards.ports.echo, signal })
  const letItRun = async (ms: number) => {
    await act(Promise.race([echo.done, delay(systemClock, ms, signal)]))
    signal.throwIfAborted()
  }
  await letItRun(ECHO_MS)
  const atKill = echo.received
  const resumed = forwards.nextResume()
  forwards.note(`kill -9 ${stage.gatewayPid}: that was the gateway, in mid-transfer`)
  await stage.killGateway()
  await letItRun(DEAD_MS)
  await stage.startGateway()
  forwards.note('the gateway is started again, on the same port')
  const gapMs = await act(Promise.race([resumed, echo.done.then(() => Promise.reject(failed('the echo ended early')))]))
  await letItRun(ECHO_MS)
  echo.finish()
  const whole = await act(echo.done)
  if (whole.bytes <= atKill) throw failed('nothing came through after the gateway was back')
  return { requests, down, up, echo: { ...whole, atKill }, gapMs, ping: { calmMs, busyMs } }
}

/** The figures in sentences. */
export function tell({ requests, down, up, echo, gapMs, ping }: Figures): Story {
  const pages = requests.count.toLocaleString('en-US')
  const all = requests.bytes + down.bytes + up.bytes + 2 * echo.bytes
  return [
    ['requests', `${pages} pages, one after the other, ${formatMs(requests.p50Ms)} each (p50)`],
    ['down', bulk(down)],
    ['up', bulk(up)],
    ['ping', `${formatMs(ping.calmMs)} to the agent and back, ${formatMs(ping.busyMs)} beside bulk data (p50)`],
    ['kill -9', `of the gateway, with ${formatBytes(echo.atKill)} through and more under way`],
    ['resumed', `after ${formatMs(gapMs)}, on the same connection, to its last byte: ${formatBytes(echo.bytes)}`],
    ['verified', `all ${formatBytes(all)}: no byte lost, doubled or changed`],
  ]
}

export async function publishStory(forwards: Forwards, story: Story, signal: AbortSignal): Promise<void> {
  await publish({ port: forwards.ports.web, signal }, story)
}

const bulk = ({ bytes, ms }: Transfer): string => `${formatBytes(bytes)} at ${formatRate((bytes / ms) * 1000)}`

/** When everything ends at once, connections break too; the reason of the end says more. */
function reasonOf(thrown: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (thrown instanceof TunnelError) return thrown
  return failed(`a connection through the tunnel broke: ${(thrown as Error).message}`, thrown)
}
