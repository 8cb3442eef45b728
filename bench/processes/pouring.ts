/** Jobs that move bulk to or from the pour service, and say how much has arrived. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { close, open } from './sockets.ts'

export interface Pour {
  /** The contender's way to the pour service. */
  readonly port: number
  /** The service itself: it tells what it has swallowed. */
  readonly service: number
  readonly direction: 'up' | 'down'
  readonly streams: number
  /** How many more there are whose reader never reads; 0 unless given. */
  readonly stalled?: number
}

/** What had arrived at one moment. */
export interface Poured {
  /** Since the streams began. */
  readonly ms: number
  /** Of each stream whose reader reads. */
  readonly bytes: readonly number[]
}

const chunk = Buffer.alloc(64 * 1024, 'tunnelctl ')

class Pouring {
  readonly #sockets: Socket[] = []
  readonly #group = randomBytes(4)
  readonly #arrived: number[] = []
  #control: Socket | undefined
  #start = 0

  async begin({ port, service, direction, streams, stalled = 0 }: Pour): Promise<void> {
    if (direction === 'up') {
      this.#control = await open(service)
      this.#control.write(Buffer.concat([Buffer.from('C'), this.#group]))
      // Only when it has answered, the service knows the group.
      await this.#ask(this.#control)
    }
    const sockets = await Promise.all(Array.from({ length: streams + stalled }, () => open(port)))
    this.#sockets.push(...sockets)
    this.#start = performance.now()
    for (const [index, socket] of sockets.entries()) {
      const reads = index < streams
      if (direction === 'down') this.#drink(socket, reads ? index : undefined)
      else this.#fill(socket, reads ? this.#head(index) : Buffer.from('S'))
    }
  }

  async arrived(): Promise<Poured> {
    const lost = this.#sockets.filter(socket => socket.closed || socket.readableEnded).length
    if (lost > 0) throw new Error(`${lost} of ${this.#sockets.length} bulk streams were lost`)
    const bytes = this.#control ? await this.#ask(this.#control) : [...this.#arrived]
    return { ms: performance.now() - this.#start, bytes }
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) if (!socket.closed) socket.resetAndDestroy()
    await Promise.all(this.#sockets.map(close))
    if (this.#control) await close(this.#control)
  }

  #head(index: number): Buffer {
    const head = Buffer.alloc(9, 'U')
    this.#group.copy(head, 1)
    head.writeUInt32BE(index, 5)
    return head
  }

  #drink(socket: Socket, index: number | undefined): void {
    socket.write('D')
    if (index === undefined) return void socket.pause()
    this.#arrived[index] = 0
    socket.on('data', ({ length }) => {
      this.#arrived[index] = (this.#arrived[index] ?? 0) + length
    })
  }

  #fill(socket: Socket, head: Buffer): void {
    // A piece for each in a turn of the loop: while the kernel takes everything, one would never end.
    const pour = () => {
      if (!socket.destroyed) socket.write(chunk, () => setImmediate(pour))
    }
    socket.resume().write(head)
    pour()
  }

  #ask(control: Socket): Promise<number[]> {
    return new Promise((resolve, reject) => {
      const lost = () => reject(new Error('the pour service does not answer'))
      let line = ''
      control.once('close', lost)
      control.on('data', function take(text: Buffer) {
        line += text.toString()
        if (!line.endsWith('\n')) return
        control.off('data', take).off('close', lost)
        resolve(JSON.parse(line) as number[])
      })
      control.write('?')
    })
  }
}

let pouring: Pouring | undefined

export const pouringJobs = {
  /** Begins, and goes on until `stopPour`. The jobs below are about this one. */
  async pour(pour: Pour): Promise<void> {
    await pouring?.stop()
    pouring = new Pouring()
    await pouring.begin(pour)
  },

  async poured(_: Record<string, never>): Promise<Poured> {
    if (pouring === undefined) throw new Error('nothing pours')
    return await pouring.arrived()
  },

  /** What has arrived at the beginning, which is nothing, and every `everyMs`, until `untilMs` after it. */
  async course({ untilMs, everyMs }: { untilMs: number; everyMs: number }): Promise<Poured[]> {
    const course: Poured[] = []
    for (;;) {
      const poured = await pouringJobs.poured({})
      if (course.length === 0) course.push({ ms: 0, bytes: poured.bytes.map(() => 0) })
      course.push(poured)
      if (poured.ms >= untilMs) return course
      await sleep(everyMs)
    }
  },

  async stopPour(_: Record<string, never>): Promise<void> {
    await pouring?.stop()
    pouring = undefined
  },
}
