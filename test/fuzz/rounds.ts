/** What is done in one round, for each target: all of it from the generator and the recording, before anything is sent. */
import { encodeDetach, encodeJson, Kind, kindOf } from '../../src/wire/message.ts'
import type { Random } from '../sim/random.ts'
import { mutateHttp } from './http-mutation.ts'
import { type Line, mutateJsonOf, mutateLines, noise, poolOf, renumber } from './mutation.ts'
import { type Conversation, type Exchange, HOST, KEY, type Recording, TOKEN } from './recording.ts'
import { anyIdentity, asSession, linesOf, movedTo, onRoute, withoutAcks } from './script.ts'
import { anyEnd, anyStyle, type Step, stepsOf } from './steps.ts'

/** What a head needs of the run that it is used in. */
export interface Fill {
  readonly host: string
  readonly token: string
}

/** Stand in a planned message for what connect chooses, of the same lengths. */
export const ROUTE_MARK = 0x7e7f5201
export const EPOCH_MARK = 0x7e7f4502
export const ACCEPT_MARK = '{SEC-WEBSOCKET-ACCEPT-HERE}='

const ANSWER = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Accept: ${ACCEPT_MARK}`,
  'Sec-WebSocket-Protocol: tunnelctl.v1',
  '\r\n',
].join('\r\n')

/** Connections of a client, one after another. Calm: as they were recorded, here and below. */
export function clientRound(random: Random, recording: Recording, fill: Fill, calm = false): Step[][] {
  const [first, second] = recording.connect as readonly [Conversation, Conversation]
  const identity = anyIdentity(random)
  const most = calm ? 100 : random.pick([4, 10, 20, 100])
  const which = calm
    ? [first, second]
    : random.pick([[first], [first], [first], [first], [first, second], [first, second], [first, second], [second]])
  return which.map((conversation, index) => {
    const isLast = index === which.length - 1
    const lines = asSession(linesOf(conversation, 'up', isLast ? most : 100), identity)
    // What is resumed is mostly a session in which nothing was wrong.
    if (calm || (!isLast && random.chance(0.6))) return upSteps(random, recording, conversation, lines, fill, true)
    for (let extra = random.pick([0, 0, 0, 0, 0, 0, 1, 2, 19]); extra > 0; extra--) {
      const session = asSession(lines.slice(1, 6), anyIdentity(random))
      lines.splice(random.chance(0.5) ? lines.length : 2, 0, ...movedTo(session, 1 + extra))
    }
    return upSteps(random, recording, conversation, lines, fill, false)
  })
}

/** One connection of an agent, and one of a client of that agent that keeps to the rules. */
export function agentRound(random: Random, recording: Recording, agent: Fill, client: Fill, calm = false) {
  const [conversation] = recording.agent as readonly [Conversation]
  const [plain] = recording.connect as readonly [Conversation]
  const lines = linesOf(conversation, 'up', calm ? 20 : random.pick([8, 20, 40, 200]))
  const honest = withoutAcks(asSession(linesOf(plain, 'up'), anyIdentity(random), 'evil'))
  return {
    agent: upSteps(random, recording, conversation, lines, agent, calm),
    client: [...stepsOf(random, headOf(random, plain, client, true), honest, true, 'plain'), { end: 'fin' } as const],
  }
}

/** What a gateway says to an agent that has dialled it. */
export function gatewayToAgentRound(random: Random, recording: Recording, calm = false): Step[] {
  const all = linesOf(recording.agent[0] as Conversation, 'down')
  const [created, resumed, other] = [onRoute(all, 1), onRoute(all, 2), onRoute(all, 3)]
  const lines = onRoute(all, 0).slice(0, 1)
  let route = 1
  for (let sessions = calm ? 1 : 1 + random.below(4); sessions > 0; sessions--) {
    const identity = anyIdentity(random)
    const parts = calm
      ? [created, resumed]
      : random.pick([[created], [created], [created, resumed], [other], [resumed]])
    for (const part of parts) lines.push(...movedTo(asSession(part, identity), route++))
  }
  return downSteps(random, recording, lines, calm ? [] : [encodeJson(Kind.DRAIN, { afterMs: 0 })], calm)
}

/** What a gateway says to a connect that has dialled it. */
export function gatewayToConnectRound(random: Random, recording: Recording, calm = false): Step[] {
  const [first, second] = recording.connect as readonly [Conversation, Conversation]
  const conversation = calm || random.chance(0.75) ? first : second
  const lines = linesOf(conversation, 'down').map(line => {
    if (line.bytes.readUInt32BE(0) === 0) return line
    const bytes = Buffer.from(line.bytes)
    bytes.writeUInt32BE(ROUTE_MARK, 0)
    if (kindOf(bytes) === Kind.ATTACHED) bytes.writeUInt32BE(EPOCH_MARK, 6)
    return { ...line, bytes }
  })
  const leave = encodeDetach(ROUTE_MARK, { final: true, code: 14, retryMs: 0, reason: 'the agent has ended' })
  const farewell = [leave, encodeJson(Kind.DRAIN, { afterMs: 0 })]
  return calm
    ? downSteps(random, recording, lines.slice(0, 4), [], true)
    : downSteps(random, recording, lines, farewell)
}

/** A request to the ingress, and what each connection to the service answers, one after another. */
export function ingressRound(random: Random, recording: Recording, host: string, calm = false) {
  const http = (text: string, times: number): Step[] => {
    let changed = text
    for (let left = times; left > 0; left--) changed = mutateHttp(random, changed)
    const bytes = Buffer.from(changed, 'latin1')
    const steps = stepsOf(random, bytes, [], true, random.pick(['plain', 'plain', 'chopped'] as const))
    const hear: Step = calm ? { hear: 1, withinMs: 5_000 } : { hear: 1 }
    return [...steps, hear, calm ? { end: 'half' } : anyEnd(random)]
  }
  const [plain] = recording.web as readonly [Exchange]
  const { request } = calm ? plain : random.pick(recording.web)
  const asked = request.toString('latin1').replaceAll(HOST, host)
  // What is refused at the door never sees a bad answer, so half of the requests are good.
  const changes = calm ? 0 : random.pick([0, 0, 0, 1, 1, 2])
  const spoken = recording.web.filter(({ answer }) => answer.length > 0)
  return {
    request: http(asked, changes),
    answers: Array.from({ length: 4 }, () =>
      calm
        ? http(plain.answer.toString('latin1'), 0)
        : http(random.pick(spoken).answer.toString('latin1'), changes > 0 ? 0 : random.pick([1, 1, 2, 3])),
    ),
  }
}

function upSteps(
  random: Random,
  recording: Recording,
  conversation: Conversation,
  lines: readonly Line[],
  fill: Fill,
  calm: boolean,
): Step[] {
  const head = headOf(random, conversation, fill, calm)
  if (calm) return [...stepsOf(random, head, withoutAcks(lines), true, 'plain'), { hear: 1 }, { end: 'reset' }]
  const changed = changedLines(random, recording, lines)
  return [...stepsOf(random, head, changed, true, anyStyle(random)), { hear: 3 }, anyEnd(random)]
}

/** @param farewell what makes the other end come again at once */
/** What a gateway may say between all else. */
function news(random: Random): Line[] {
  if (random.chance(0.7)) return []
  const afterMs = random.pick([0, 1, 5_000, -1, 2 ** 31, 2 ** 48, 1e308])
  const said = random.pick([
    encodeJson(Kind.DRAIN, { afterMs, why: 'expiry' }),
    encodeJson(Kind.WELCOME, { software: 'fuzz', agents: ['home'], superseded: 'other' }),
  ])
  return [{ bytes: random.chance(0.5) ? said : mutateJsonOf(random, said), heard: 0 }]
}

function downSteps(
  random: Random,
  recording: Recording,
  lines: readonly Line[],
  farewell: readonly Buffer[],
  calm = false,
): Step[] {
  if (calm) return stepsOf(random, Buffer.from(ANSWER), withoutAcks(lines), false, 'plain')
  const changed = changedLines(random, recording, lines)
  changed.splice(random.below(changed.length + 1), 0, ...news(random))
  const last = farewell.map(bytes => ({ bytes, heard: 0 }))
  const style = anyStyle(random)
  const head = random.chance(0.04) ? mutateHttp(random, ANSWER) : ANSWER
  const steps = stepsOf(random, Buffer.from(head, 'latin1'), [...changed, ...last], false, style)
  const refuse: Step[] = random.chance(0.7) ? [{ refuseResume: true }] : []
  return [...refuse, ...steps, { hear: 2 }, random.chance(0.7) ? { end: 'leave' } : anyEnd(random)]
}

function changedLines(random: Random, recording: Recording, lines: readonly Line[]): Line[] {
  const pool = poolOf([...recording.connect, ...recording.agent].flatMap(({ said }) => said.map(({ bytes }) => bytes)))
  const quiet = random.chance(0.7) ? withoutAcks(lines) : lines
  const changed = mutateLines(random, quiet, pool, random.pick([0, 1, 1, 1, 2, 2, 4, 8]))
  return random.chance(0.6) ? renumber(changed) : changed
}

function headOf(random: Random, { head }: Conversation, { host, token }: Fill, calm: boolean): Buffer {
  const key = noise(random, 16).toString('base64')
  const filled = head.replace(HOST, host).replace(KEY, key)
  const changed = !calm && random.chance(0.05) ? mutateHttp(random, filled) : filled
  return Buffer.from(changed.replace(TOKEN, token), 'latin1')
}
