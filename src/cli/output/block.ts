/**
 * What the live block says, as rows: a header with the state, one row per forward, and the ping. Pure: from a snapshot and
 * the size of the terminal.
 */
import type { ConnectSnapshot, PingSnapshot, StreamSnapshot } from '../../connect/events.ts'
import { connectionRows } from './connections.ts'
import type { Rate } from './rates.ts'
import { clipRow, oneColumnEach, type Row, rowWidth, type Size, type Style, spaced, span } from './row.ts'
import { forwardRows, totalRows } from './table.ts'
import { formatCount, formatElapsed, formatMs, sparkline } from './units.ts'

/** From this height on there is a row to spare, to set the block off from the lines above it. */
const tallRows = 10

/**
 * The block as of now. `rates` are those of `snapshot.forwards`, in their order. No row is wider than the terminal, and
 * there is at least one row fewer than the terminal has, for the cursor; when that is too few, the busiest forwards are
 * shown.
 */
export function blockRows(
  snapshot: ConnectSnapshot,
  rates: readonly Rate[],
  { columns, rows }: Size,
  { keys, streams }: BlockExtras = {},
): Row[] {
  const height = rows - 1
  if (height < 1) return []
  const above: Row[] = rows >= tallRows ? [[]] : []
  const below = height > 2 ? [lastRow(snapshot, columns)] : []
  if (keys !== undefined && rows >= tallRows) below.push([span(keys, 'dim')])
  const room = height - above.length - 1 - below.length
  const forRows = Math.min(snapshot.forwards.length, room)
  const details = streams === undefined ? [] : connectionRows(streams, { columns, rows: room - forRows })
  const forwards = forwardRows(snapshot.forwards, rates, { columns, rows: room - details.length })
  return [...above, headerRow(snapshot), ...forwards, ...details, ...below].map(row => clipRow(row, columns))
}

/** What a user at the keyboard has asked for. */
export interface BlockExtras {
  /** What the keys do. */
  readonly keys?: string | undefined
  /** The connections that are open, the oldest first. */
  readonly streams?: readonly StreamSnapshot[] | undefined
}

/** What stays on the screen after the block: how the session went, and the totals of every forward. */
export function closingRows(snapshot: ConnectSnapshot, columns: number): Row[] {
  const header = spaced([[span('○ closed', 'dim')], between(snapshot), history(snapshot)])
  const { p50Ms, p99Ms } = snapshot.ping
  const ping = spaced([labelled('ping p50', p50Ms, 'plain', 'unit'), labelled('p99', p99Ms, 'plain', 'unit')])
  const rows = [[], header, ...totalRows(snapshot.forwards, columns), ...(ping.length > 0 ? [ping] : [])]
  return rows.map(row => clipRow(row, columns))
}

function headerRow(snapshot: ConnectSnapshot): Row {
  const { words, style } = stateOf(snapshot)
  return spaced([[span('● ', style), span(words, style)], between(snapshot), history(snapshot)])
}

function stateOf({ state, ping }: ConnectSnapshot): { words: string; style: Style } {
  switch (state.name) {
    case 'connecting':
      return { words: 'connecting', style: 'warn' }
    case 'connected':
      return { words: ping.nowMs === undefined ? 'connected' : `connected ${formatMs(ping.nowMs)}`, style: 'good' }
    case 'silent':
      return { words: `no answer for ${formatElapsed(Math.max(1000, state.forMs))}`, style: 'warn' }
    case 'resuming': {
      const held = state.streamsHeld === 0 ? '' : `, ${formatCount(state.streamsHeld, 'stream')} held`
      return { words: `resuming ${formatElapsed(Math.max(1000, state.forMs))}${held}`, style: 'warn' }
    }
    case 'offline': {
      const seconds = Math.max(1, Math.ceil(state.nextTryMs / 1000))
      return { words: `offline, next try in ${formatElapsed(seconds * 1000)}`, style: 'bad' }
    }
  }
}

function between({ gateway, agent }: ConnectSnapshot): Row {
  return [span(oneColumnEach(gateway, 120)), span(' → ', 'dim'), span(oneColumnEach(agent, 63))]
}

function history({ uptimeMs, resumes }: ConnectSnapshot): Row {
  const resumed = resumes === 0 ? '' : `  ${formatCount(resumes, 'resume')}`
  return [span(`up ${formatElapsed(uptimeMs)}${resumed}`, 'dim')]
}

/** The ping while there is one to measure, and the reason why there is none while the gateway is out of reach. */
function lastRow({ state, ping }: ConnectSnapshot, columns: number): Row {
  if (state.name === 'offline') return [span(oneColumnEach(state.reason), 'dim')]
  return pingRow(ping, columns, state.name === 'connected' ? 'plain' : 'dim')
}

/** What does not fit is left out whole. The sparkline comes last: it grows with every ping, and moves nothing. */
function pingRow(ping: PingSnapshot, columns: number, style: Style): Row {
  const { nowMs, p50Ms, p99Ms, recentMs } = ping
  const now: Row = [span('ping ', 'dim'), span(nowMs === undefined ? '-' : formatMs(nowMs), style)]
  const figures = [now, labelled('p50', p50Ms, style), labelled('p99', p99Ms, style)]
  const { dialMs, ...withoutService } = ping
  const candidates = [ping, withoutService].map(each => spaced([...figures, legs(each, style)]))
  const numbers = candidates.find(each => rowWidth(each) <= columns) ?? spaced(figures)
  const room = Math.min(maxBars, columns - rowWidth(numbers) - 2)
  if (room < minBars || recentMs.length === 0) return numbers
  const bars = span(sparkline(recentMs.slice(-room), calmMs), style === 'dim' ? 'dim' : 'accent')
  return spaced([numbers, [bars]])
}

const minBars = 4
const maxBars = 30
/** A change of the ping below this is no news. */
const calmMs = 2

/** Without `unit`, milliseconds go without saying: the current ping before them has said it. */
function labelled(label: string, ms: number | undefined, style: Style, unit?: 'unit'): Row {
  if (ms === undefined) return []
  const text = formatMs(ms)
  return [span(`${label} `, 'dim'), span(unit === undefined ? text.replace(/ ms$/, '') : text, style)]
}

/** The second leg is what the first leaves of the whole: nobody measures it, and a late first leg must not make it negative. */
function legs({ nowMs, gatewayMs, dialMs }: PingSnapshot, style: Style): Row {
  if (nowMs === undefined || gatewayMs === undefined) return []
  const agentMs = Math.max(0, nowMs - gatewayMs)
  return [
    span('gateway ', 'dim'),
    span(formatMs(gatewayMs), style),
    span(' · agent ', 'dim'),
    span(formatMs(agentMs), style),
    ...(dialMs === undefined ? [] : [span(' · service ', 'dim'), span(formatMs(dialMs), style)]),
  ]
}
