/** The least that a load needs of HTTP/1.1: a request is written as it is, and an answer has its length in its head. */
import type { Socket } from 'node:net'

export interface Answer {
  readonly status: number
  readonly length: number
  /** What has come behind the head. */
  readonly rest: Buffer
}

export const getRequest = (host: string, path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`

/** Undefined while the head has not come whole. */
export function parseAnswer(received: Buffer): Answer | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = received.toString('latin1', 0, end)
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? []
  const [, length = 0] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? []
  return { status: Number(status), length: Number(length), rest: received.subarray(end + 4) }
}

/** The next answer. What else comes on the connection is not read on. */
export function answerOn(socket: Socket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let received: Buffer | undefined
    const lost = () => reject(new Error('the connection ended before the answer'))
    socket.once('close', lost).once('end', lost)
    socket.on('data', function take(chunk: Buffer) {
      received = received === undefined ? chunk : Buffer.concat([received, chunk])
      const answer = parseAnswer(received)
      if (answer === undefined || (answer.status !== 101 && answer.rest.length < answer.length)) return
      socket.off('data', take).off('close', lost).off('end', lost)
      resolve(answer)
    })
  })
}
