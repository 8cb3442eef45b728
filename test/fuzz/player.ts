/** Does steps to a socket whose other end is a real process, and listens to what that says about itself. */
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { Opcode } from '../../src/carrier/framing.ts'
import { TunnelError } from '../../src/errors.ts'
import { decodeReset, FrameType } from '../../src/wire/frame.ts'
import { BATCH_HEADER_BYTES, decodeDetach, Kind, kindOf } from '../../src/wire/message.ts'
import { framesOf } from './fields.ts'
import type { Step } from './steps.ts'
import { WireReader } from './wire.ts'

/** A real process answers an honest line sooner, and to others it may have nothing to say. */
const HEAR_MS = 20
/** What is rehearsed must be answered, as must a request over HTTP, behind which is a service. */
const PATIENT_HEAR_MS = 100
/** After so many answers that did not come none is waited for. */
const MAX_DEAF = 3
const LEAVE_MS = 25

/** Bytes that were planned without knowing what the other end has chosen, and stand for that. All have the same length as it. */
export type LiveParts = () => readonly { readonly planned: Buffer; readonly live: Buffer }[]

export interface PlayerOptions {
  readonly live?: LiveParts
  /** The other end answers in HTTP, and not in messages. */
  readonly http?: boolean
  /** Answers are waited for, however many did not come. */
  readonly patient?: boolean
}

export class Player {
  /** What was sent, in the pieces in which it was. */
  readonly sent: Buffer[] = []
  /** The first lines that came. */
  head = ''
  readonly messages: Buffer[] = []
  /** What the other end has said that it never should. */
  complaint: string | undefined
  readonly #socket: Socket
  readonly #live: LiveParts
  readonly #http: boolean
  readonly #patient: boolean
  #heard = 0
  #deaf = 0
  #looked = 0
  #wake: () => void = () => {}

  constructor(socket: Socket, { live = () => [], http = false, patient = http }: PlayerOptions = {}) {
    this.#socket = socket
    this.#live = live
    this.#http = http
    this.#patient = patient
    const reader = new WireReader({
      head: text => {
        this.head = text
        this.#wake()
        return /^(HTTP\/1\.1 101 |GET )/.test(text)
      },
      message: bytes => this.#message(bytes),
      control: (opcode, payload) => {
        if (opcode === Opcode.CLOSE && payload.length > 1 && payload.readUInt16BE(0) === internal.close) {
          this.complaint ??= `closed with ${internal.close}: ${payload.toString('utf8', 2)}`
        }
      },
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#wake())
    socket.on('data', chunk => {
      if (http) {
        this.head ||= chunk.toString('latin1')
        return this.#wake()
      }
      try {
        reader.read(chunk)
      } catch (thrown) {
        this.complaint ??= `sent what cannot be read: ${String(thrown)}`
      }
    })
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (this.#socket.destroyed) return
      if ('hear' in step) await this.#hear(step.hear, step.withinMs)
      else if ('send' in step) await this.#send(step.send, step.cuts)
      else if ('end' in step) await this.#end(step.end)
    }
  }

  async send(bytes: Buffer): Promise<void> {
    await this.#send(bytes, [])
  }

  /** Resolves with the first message that `matches`, of those that were not looked at before; undefined when none comes in time. */
  async next(matches: (message: Buffer) => boolean, withinMs: number): Promise<Buffer | undefined> {
    const deadline = performance.now() + withinMs
    for (;;) {
      while (this.#looked < this.messages.length) {
        const message = this.messages[this.#looked++]
        if (message !== undefined && matches(message)) return message
      }
      const leftMs = deadline - performance.now()
      if (leftMs <= 0 || this.#socket.destroyed) return undefined
      await this.#woken(leftMs)
    }
  }

  /** Resolves when the head has come; false when it does not in time. */
  async headCame(withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs
    while (this.head === '' && !this.#socket.destroyed && performance.now() < deadline) await this.#woken(50)
    return this.head !== ''
  }

  async #hear(count: number, withinMs?: number): Promise<void> {
    const until = this.#heard + count
    const usualMs = this.#patient ? PATIENT_HEAR_MS : this.#deaf >= MAX_DEAF ? 1 : HEAR_MS
    const deadline = performance.now() + (withinMs ?? usualMs)
    const hasHeard = () => (this.#http ? this.head !== '' : this.messages.length >= until)
    while (!hasHeard() && !this.#socket.destroyed) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) break
      await this.#woken(leftMs)
    }
    this.#deaf = hasHeard() ? 0 : this.#deaf + 1
    this.#heard = Math.max(until, this.messages.length)
  }

  #woken(atMostMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, atMostMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #send(planned: Buffer, cuts: readonly number[]): Promise<void> {
    const bytes = Buffer.from(planned)
    for (const part of this.#live()) {
      for (let at = bytes.indexOf(part.planned); at >= 0; at = bytes.indexOf(part.planned, at + 1))
        part.live.copy(bytes, at)
    }
    for (const [index, end] of [...cuts, bytes.length].entries()) {
      const piece = bytes.subarray(cuts[index - 1] ?? 0, end)
      this.sent.push(piece)
      if (this.#socket.destroyed || this.#socket.writableEnded) return
      // A peer that does not read is a matter of its own: waiting for it would make rounds long.
      this.#socket.write(piece)
      if (cuts.length > 0) await turn()
    }
  }

  async #end(how: 'fin' | 'reset' | 'half' | 'leave'): Promise<void> {
    const socket = this.#socket
    if (how === 'reset') socket.resetAndDestroy()
    else if (how !== 'leave') socket.end()
    if (how === 'reset' || how === 'fin') return
    const deadline = performance.now() + LEAVE_MS
    while (!socket.closed && performance.now() < deadline) await this.#woken(LEAVE_MS)
  }

  #message(bytes: Buffer): void {
    this.messages.push(bytes)
    this.complaint ??= complaintOf(bytes)
    this.#wake()
  }
}

const internal = new TunnelError('INTERNAL', '')

/** A real process tells nobody of a bug in itself. */
function complaintOf(message: Buffer): string | undefined {
  if (kindOf(message) === Kind.DETACH) {
    const { code, reason } = decodeDetach(message)
    if (code === internal.wire) return `DETACH with INTERNAL: ${reason}`
  }
  if (message.length < BATCH_HEADER_BYTES) return undefined
  for (const { type, at, end } of framesOf(message)) {
    if (type !== FrameType.RESET) continue
    const { code, reason } = decodeReset(message, at + 8, end)
    if (code === internal.wire) return `RESET with INTERNAL: ${reason}`
  }
  return undefined
}
