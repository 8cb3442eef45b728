/** What a client of a proxy and the proxy say to each other before the bytes of the connection: one for each protocol. */
import type { TunnelError } from '../errors.ts'

export interface ProxyRequest {
  /** A name, as the client wrote it. */
  readonly host: string
  readonly port: number
  /** What came behind the request: the first bytes of the connection. */
  readonly rest: Buffer
}

export interface Dialogue {
  /**
   * Takes all that was read so far; what is to be said meanwhile goes to `say`.
   * @returns undefined as long as the request is not whole
   * @throws DialogueError
   */
  read(input: Buffer, say: (bytes: Buffer) => void): ProxyRequest | undefined
  /** What the client is told when its connection stands. */
  opened(): Buffer
  /** What it is told when it does not. */
  failed(error: TunnelError): Buffer
}

/** The client asks for what this proxy does not do, or does not speak the protocol; `answer` tells it so. */
export class DialogueError extends Error {
  readonly answer: Buffer

  constructor(message: string, answer: Buffer) {
    super(message)
    this.answer = answer
  }
}
