/** `-o json`: one object per event and line on stdout, with `"v":1` and `event` first and the fields in a fixed order. */
import type { ConnectEvent } from '../../connect/events.ts'
import { escapeText } from '../../observe/escape.ts'
import type { Io } from '../io.ts'
import type { ConnectOutput } from './sink.ts'

type EventName = ConnectEvent['event']
type EventOf<Name extends EventName> = Extract<ConnectEvent, { readonly event: Name }>

const fields: { readonly [Name in EventName]: readonly Exclude<keyof EventOf<Name>, 'event'>[] } = {
  connected: ['gateway', 'agent', 'pingMs'],
  forwarding: ['local', 'target'],
  open: ['stream', 'target'],
  close: ['stream', 'target', 'bytesUp', 'bytesDown', 'ms', 'code'],
  stats: ['bytesUp', 'bytesDown', 'streamsOpen', 'streamsTotal', 'pingMs'],
  disconnected: ['reason'],
  resumed: ['gapMs'],
  moved: ['reason'],
  error: ['code', 'message', 'hint', 'stream', 'target'],
}

/** A reader this far behind loses events: the tunnel neither waits for it nor keeps them all. */
const maxBehind = 1 << 20

/** The event as its line, newline included. Strings are escaped, so that printing a field is safe. */
export function jsonLine(event: ConnectEvent): string {
  const known: Record<string, unknown> = { v: 1, event: event.event }
  for (const name of fields[event.event]) {
    const value = (event as unknown as Record<string, unknown>)[name]
    if (value !== undefined) known[name] = typeof value === 'string' ? escapeText(value, 600) : value
  }
  return `${JSON.stringify(known)}\n`
}

export function jsonOutput({ stdout }: Pick<Io, 'stdout'>): ConnectOutput {
  return {
    event(event) {
      // The next stats say more than these.
      if (stdout.writableNeedDrain && event.event === 'stats') return
      if (stdout.writableLength <= maxBehind) stdout.write(jsonLine(event))
    },
    connecting() {},
    note() {},
    close() {},
  }
}
