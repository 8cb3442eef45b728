/**
 * What text output says about an event: the lines that scripts written for `kubectl port-forward` look for on stdout, one
 * line per failure on stderr, and nothing else.
 */
import type { ChalkInstance } from 'chalk'
import type { ConnectEvent } from '../../connect/events.ts'
import type { MoveReason } from '../../mux/links.ts'
import { escapeText } from '../../observe/escape.ts'
import type { Io, Output } from '../io.ts'
import type { ConnectOutput } from './sink.ts'
import type { Terminal } from './terminal.ts'
import { formatBytes, formatMs } from './units.ts'

export interface Line {
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly target?: string
}

const maxMessage = 600

/** How much is said: failures; what happens to the whole; each connection too. */
export type Talk = 'quiet' | 'normal' | 'verbose'

/** The line for an event, without its newline; undefined when text output says nothing about it, or not with this `talk`. */
export function lineOf(event: ConnectEvent, paint: ChalkInstance, talk: Talk): Line | undefined {
  if (event.event === 'error') return { stream: 'stderr', text: failureLine(event, paint) }
  if (talk === 'quiet') return undefined
  switch (event.event) {
    case 'forwarding':
      return { stream: 'stdout', text: `Forwarding from ${escapeText(event.local)} -> ${escapeText(event.target)}` }
    case 'disconnected':
      return { stream: 'stderr', text: paint.yellow(`disconnected: ${escapeText(event.reason, maxMessage)}`) }
    case 'resumed':
      return { stream: 'stderr', text: paint.green(`resumed after ${formatMs(event.gapMs)}`) }
    case 'moved':
      return { stream: 'stderr', text: paint.dim(`moved to another carrier, ${moveReasons[event.reason]}`) }
    default:
      return talk === 'verbose' ? detailOf(event, paint) : undefined
  }
}

function detailOf(event: ConnectEvent, paint: ChalkInstance): Line | undefined {
  const detail = (text: string): Line => ({ stream: 'stderr', text: paint.dim(text) })
  switch (event.event) {
    case 'connected': {
      const way = `${escapeText(event.gateway, maxMessage)} to agent ${escapeText(event.agent)}`
      return detail(`connected through ${way}, ${formatMs(event.pingMs)} away`)
    }
    case 'open':
      return detail(`#${event.stream} ${escapeText(event.target)} open`)
    case 'close': {
      const { stream, target, bytesUp, bytesDown, ms, code } = event
      const how = code === 'OK' ? 'closed' : `ended with ${code}`
      const carried = `${formatBytes(bytesUp)} up, ${formatBytes(bytesDown)} down`
      return detail(`#${stream} ${escapeText(target)} ${how} after ${formatMs(ms)}: ${carried}`)
    }
    default:
      return undefined
  }
}

const moveReasons: Record<MoveReason, string> = {
  asked: 'as you asked',
  schedule: 'as --redial-every asked',
  drain: 'because the gateway is shutting down',
  expiry: 'before its token expires',
  sleep: 'because this machine was asleep',
  stall: 'because the one before did not answer',
}

/** `tunnelctl: REFUSED db/prod:5432: connection refused (check that the service is running)`, on one line. */
export function failureLine({ code, message, hint, target }: Failure, paint: ChalkInstance): string {
  const about = target === undefined || message.includes(target) ? '' : `${escapeText(target)}: `
  const advice = hint === '' ? '' : paint.dim(` (${escapeText(hint, maxMessage)})`)
  return `tunnelctl: ${paint.red(escapeText(code, 32))} ${about}${escapeText(message, maxMessage)}${advice}`
}

/** Text output away from a terminal, or where nothing may be drawn. */
export function textOutput(io: Pick<Io, 'stdout' | 'stderr'>, { paint }: Terminal, talk: Talk): ConnectOutput {
  const say = (stream: Output, text: string): void => void stream.write(`${text}\n`)
  return {
    event(event) {
      const line = lineOf(event, paint, talk)
      if (line !== undefined) say(io[line.stream], line.text)
    },
    connecting() {},
    note(text) {
      if (talk !== 'quiet') say(io.stderr, escapeText(text, maxMessage))
    },
    close(summary) {
      if (summary !== undefined) this.note(summary)
    },
  }
}
