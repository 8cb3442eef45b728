import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { defaultHeartbeat } from '../../src/carrier/liveness.ts'
import { MAX_QUEUE_BYTES } from '../../src/gateway/hop.ts'
import { defaultGatewayLimits } from '../../src/gateway/limits.ts'
import { defaultDetachedLimits } from '../../src/mux/detached.ts'
import { defaultLimits } from '../../src/mux/limits.ts'
import { KEY_BYTES } from '../../src/mux/proof.ts'
import { EARLY_DATA_BYTES, INITIAL_WINDOW_BYTES, MAX_WINDOW_BYTES } from '../../src/mux/window.ts'
import { tokenLimits } from '../../src/net/claims.ts'
import { BATCH_TARGET_BYTES } from '../../src/wire/batch.ts'
import { MAX_OPEN_JSON_BYTES } from '../../src/wire/frame.ts'
import { MAX_JSON_BYTES, MAX_MESSAGE_BYTES, MAX_REASON_BYTES, SESSION_ID_BYTES } from '../../src/wire/message.ts'
import { Page } from './document.ts'

/** A number that its file keeps to itself; bytes, milliseconds or a count. */
function constant(file: string, name: string): number {
  const text = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8')
  const [, product] = new RegExp(`^(?:export )?const ${name} = ([0-9_]+(?: \\* [0-9_]+)*)$`, 'm').exec(text) ?? []
  assert.ok(product !== undefined, `src/${file} has no number ${name}`)
  return product.split('*').reduce((value, factor) => value * Number(factor.replaceAll('_', '')), 1)
}

const limits: Readonly<Record<string, number>> = {
  'a message': MAX_MESSAGE_BYTES,
  'fragments of a message': constant('carrier/framing.ts', 'MAX_FRAGMENTS'),
  'JSON of HELLO, WELCOME, DRAIN, CATALOGUE, ATTACH, ATTACHED': MAX_JSON_BYTES,
  'JSON of OPEN': MAX_OPEN_JSON_BYTES,
  'reason in RESET and DETACH': MAX_REASON_BYTES,
  'bytes of frames gathered before a batch is sent': BATCH_TARGET_BYTES,
  'maxInflight, offered': defaultLimits.maxInflightBytes,
  'maxInflight, least': constant('mux/initiator.ts', 'MIN_INFLIGHT_BYTES'),
  'bytes without an ACK': constant('mux/inbox.ts', 'ACK_EVERY_BYTES'),
  'time without an ACK': constant('mux/inbox.ts', 'ACK_DELAY_MS'),
  'time without an ACK while little came': constant('mux/inbox.ts', 'LITTLE_ACK_DELAY_MS'),
  'what is little': constant('mux/scheduler.ts', 'LITTLE_BYTES'),
  'early data of a stream': EARLY_DATA_BYTES,
  'first window of a stream': INITIAL_WINDOW_BYTES,
  'largest window of a stream': MAX_WINDOW_BYTES,
  'growth of all windows of a session': defaultLimits.windowBudgetBytes,
  'streams of a session': defaultLimits.maxStreams,
  'batches without an acknowledgement': constant('mux/outbox.ts', 'MAX_KEPT_BATCHES'),
  'frames that wait for an acknowledgement when OPEN comes': constant('mux/limits.ts', 'MAX_UNSENT_BYTES'),
  'sessions over one connect carrier': defaultGatewayLimits.sessionsPerCarrier,
  'bytes that wait for the carrier when ATTACH comes': constant('gateway/relay.ts', 'MAX_UNREAD_BYTES'),
  "processes of one agent's name": constant('gateway/registry.ts', 'MAX_INSTANCES'),
  'sessions of an agent': constant('mux/acceptor.ts', 'MAX_SESSIONS'),
  'life of a session without a carrier': defaultDetachedLimits.ttlMs,
  'what an agent holds for sessions without a carrier': defaultDetachedLimits.budgetBytes,
  "an agent's process that is away while another is there": constant('mux/initiator.ts', 'INSTANCE_AWAY_MS'),
  'without an answer, at least': constant('mux/stall.ts', 'LEAST_MS'),
  'a jump of the time of day': constant('carrier/wake.ts', 'JUMP_MS'),
  'queue of a route at the gateway, bytes': MAX_QUEUE_BYTES,
  'queue of a route at the gateway, messages': constant('gateway/hop.ts', 'MAX_QUEUE_MESSAGES'),
  'HTTP headers': defaultGatewayLimits.arrivalMs,
  'answer to the upgrade': constant('carrier/dial.ts', 'TIMEOUT_MS'),
  HELLO: defaultGatewayLimits.arrivalMs,
  WELCOME: constant('mux/link.ts', 'GREETING_TIMEOUT_MS'),
  'answer to ATTACH': constant('mux/initiator.ts', 'ATTACH_TIMEOUT_MS'),
  'between heartbeats': defaultHeartbeat.intervalMs,
  'silence on a carrier': defaultHeartbeat.deadMs,
  'nothing that waits leaves a carrier': defaultHeartbeat.stuckMs,
  'WebSocket pings at once': constant('carrier/websocket.ts', 'MAX_EARLY_PINGS'),
  'between WebSocket pings after that': 1_000 / constant('carrier/websocket.ts', 'MAX_PINGS_PER_SECOND'),
  'between PINGs of connect, at most': constant('mux/session.ts', 'PING_INTERVAL_MS'),
  'between PINGs of an agent': constant('agent/agent.ts', 'PING_INTERVAL_MS'),
  'closing handshake': constant('carrier/websocket.ts', 'CLOSE_TIMEOUT_MS'),
  'expiry of a token, grace': constant('gateway/reception.ts', 'EXPIRY_GRACE_MS'),
  'a token': tokenLimits.bytes,
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  bytes: 1,
  KiB: 1024,
  MiB: 1024 * 1024,
  ms: 1,
  s: 1_000,
  min: 60_000,
}

function parseValue(text: string): number {
  const [, digits = '', unit = ''] = /^([0-9,]+) ?([A-Za-z]*)$/.exec(text) ?? []
  const factor = units[unit]
  assert.ok(digits !== '' && factor !== undefined, `"${text}" is no value with a unit`)
  return Number(digits.replaceAll(',', '')) * factor
}

test('the table of limits in docs/protocol.md is what the program does, and nothing is missing from it', () => {
  const shown = new Page('protocol.md').table('limits').map(([limit = '', value = '']) => [limit, parseValue(value)])
  assert.deepEqual(shown, Object.entries(limits))
})

test('the text of docs/protocol.md names the same numbers as its table', () => {
  const text = new Page('protocol.md').text.replace(/\s+/g, ' ')
  for (const sentence of [
    `${SESSION_ID_BYTES} random bytes, chosen by connect`,
    `${KEY_BYTES} random bytes, base64url`,
    'Absent or below 512 KiB counts as 512 KiB',
    'at the latest 5 ms after a batch came, and at once when 256 KiB came since its last',
    'at most 8 MiB + 256 KiB and 16,384 messages',
    'every 15 s',
    'has come for 40 s',
  ]) {
    assert.ok(text.includes(sentence), sentence)
  }
})
