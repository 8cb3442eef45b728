/**
 * What a real connect, a real agent, a client and a service of the ingress have said in one short use (record.ts). It is kept in
 * a file, so that a seed means the same bytes in every run.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface Said {
  /** By who dialled. */
  readonly up: boolean
  /** One message. */
  readonly bytes: Buffer
}

/** One connection of an end to the gateway. */
export interface Conversation {
  /** The request that becomes a WebSocket. */
  readonly head: string
  readonly said: readonly Said[]
}

/** One connection to the ingress. */
export interface Exchange {
  readonly request: Buffer
  /** What the service said to its own side. */
  readonly answer: Buffer
}

export interface Recording {
  readonly connect: readonly Conversation[]
  readonly agent: readonly Conversation[]
  readonly web: readonly Exchange[]
}

/** What stands in a head in the place of what each connection has anew. */
export const TOKEN = '{TOKEN}'
export const HOST = '{HOST}'
export const KEY = '{KEY}'

const file = fileURLToPath(new URL('conversations.json', import.meta.url))

interface Stored {
  readonly connect: readonly StoredConversation[]
  readonly agent: readonly StoredConversation[]
  readonly web: readonly { readonly request: string; readonly answer: string }[]
}

interface StoredConversation {
  readonly head: string
  /** `>` up or `<` down, and hex. */
  readonly said: readonly string[]
}

export function loadRecording(): Recording {
  const { connect, agent, web } = JSON.parse(readFileSync(file, 'utf8')) as Stored
  const conversation = ({ head, said }: StoredConversation): Conversation => ({
    head,
    said: said.map(line => ({ up: line.startsWith('>'), bytes: Buffer.from(line.slice(2), 'hex') })),
  })
  return {
    connect: connect.map(conversation),
    agent: agent.map(conversation),
    web: web.map(each => ({
      request: Buffer.from(each.request, 'latin1'),
      answer: Buffer.from(each.answer, 'latin1'),
    })),
  }
}

export function saveRecording({ connect, agent, web }: Recording): void {
  const conversation = ({ head, said }: Conversation): StoredConversation => ({
    head,
    said: said.map(({ up, bytes }) => `${up ? '>' : '<'} ${bytes.toString('hex')}`),
  })
  const stored: Stored = {
    connect: connect.map(conversation),
    agent: agent.map(conversation),
    web: web.map(({ request, answer }) => ({
      request: request.toString('latin1'),
      answer: answer.toString('latin1'),
    })),
  }
  writeFileSync(file, `${JSON.stringify(stored, null, 2)}\n`)
}
