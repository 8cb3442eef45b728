/** A gateway that is none: it takes what an agent or a connect dials, and says what a round has planned. */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeDetach, encodeJson, Kind, kindOf, routeOf } from '../../src/wire/message.ts'
import { serve } from '../support/sockets.ts'
import type { Scope } from '../support/tunnel.ts'
import { Finding, type Sent } from './finding.ts'
import { type LiveParts, Player } from './player.ts'
import { ACCEPT_MARK, EPOCH_MARK, ROUTE_MARK } from './rounds.ts'
import type { Step } from './steps.ts'
import { encodeFrame } from './wire.ts'

/** Of RFC 6455, 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** A process dials again within 10 s, however often it was sent away. */
const RETURN_MS = 30_000
/** Who was away for longer than this has been sent away too often. */
const LONG_MS = 400
/** What lives this long was a success, behind which nobody waits long to dial again. */
const REST_MS = 1_100
const NOT_FOUND = 33
const HEAD_MS = 1_000
const ATTACH_MS = 600

export class Gate {
  readonly url: string
  /** The latest connection has been waited for so long that the next ones would be, too, without a rest. */
  needsRest = false
  readonly #waiting: Socket[] = []
  #came: () => void = () => {}

  private constructor(port: number) {
    this.url = `ws://127.0.0.1:${port}`
  }

  static async open(scope: Scope): Promise<Gate> {
    const accept: { to?: Gate } = {}
    const port = await serve(scope, socket => accept.to?.accepted(socket))
    accept.to = new Gate(port)
    return accept.to
  }

  private accepted(socket: Socket): void {
    this.#waiting.push(socket)
    this.#came()
  }

  /** The next connection that is still open. `ended` says that nobody will dial any more. */
  async next(who: string, ended: () => boolean): Promise<Socket | undefined> {
    const since = performance.now()
    const deadline = since + RETURN_MS
    for (;;) {
      const socket = this.#waiting.shift()
      this.needsRest = performance.now() - since > LONG_MS
      if (socket !== undefined && !socket.destroyed) return socket
      if (socket !== undefined) continue
      if (ended()) return undefined
      if (performance.now() > deadline) throw new Finding(`${who} has not come back for ${RETURN_MS / 1000} s`)
      await new Promise<void>(resolve => {
        this.#came = resolve
        setTimeout(resolve, 50)
      })
    }
  }
}

/**
 * Plays on a connection that a real process has dialled; returns when it is done.
 * @param sessionId of the recording: in its place goes that of the process's own ATTACH, as do its route and its epoch
 */
export async function playGateway(
  socket: Socket,
  steps: readonly Step[],
  sent: Sent,
  { sessionId, patient = false }: { readonly sessionId?: Buffer; readonly patient?: boolean } = {},
): Promise<Player> {
  let attach: Buffer | undefined
  const player: Player = new Player(socket, { live: () => liveParts(player.head, attach, sessionId), patient })
  sent.set('gateway', player.sent)
  if (!(await player.headCame(HEAD_MS)) || sessionId === undefined) {
    await player.play(steps)
    return player
  }
  const isAttach = (message: Buffer) => kindOf(message) === Kind.ATTACH
  const first = steps.findIndex(step => 'send' in step && step.send.includes(markOf(ROUTE_MARK)))
  await player.play(first < 0 ? steps : steps.slice(0, first))
  if (first < 0) return player
  attach = await player.next(isAttach, ATTACH_MS)
  if (attach?.includes('"proof"') === true && steps.some(step => 'refuseResume' in step)) {
    const refusal = { final: true, code: NOT_FOUND, retryMs: 0, reason: 'no such session at this agent' }
    await player.send(encodeFrame(encodeDetach(routeOf(attach), refusal)))
    attach = (await player.next(isAttach, ATTACH_MS)) ?? attach
  }
  await player.play(steps.slice(first))
  return player
}

/** Leaves a connection over which all has gone well, after so long that the other end counts it as a success. */
export async function rest(player: Player, socket: Socket): Promise<void> {
  await sleep(REST_MS)
  await player.send(encodeFrame(encodeJson(Kind.DRAIN, { afterMs: 0 })))
  await player.play([{ end: 'leave' }])
  socket.destroy()
}

const markOf = (mark: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(mark)
  return bytes
}

function liveParts(
  head: string,
  attach: Buffer | undefined,
  sessionId: Buffer = Buffer.alloc(16),
): ReturnType<LiveParts> {
  const [, key = ''] = /^sec-websocket-key: (.*)\r$/im.exec(head) ?? []
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
  const parts = [{ planned: Buffer.from(ACCEPT_MARK), live: Buffer.from(accept) }]
  if (attach === undefined) return parts
  return [
    ...parts,
    { planned: markOf(ROUTE_MARK), live: attach.subarray(0, 4) },
    { planned: markOf(EPOCH_MARK), live: attach.subarray(6, 10) },
    { planned: sessionId, live: attach.subarray(10, 26) },
  ]
}
