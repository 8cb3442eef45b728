/** What the ingress tells Prometheus. */
import type { Metric } from '../../observe/metrics.ts'
import type { UpgradeSummary } from './upgrade-tap.ts'

export class IngressTotals {
  /** Requests and upgraded connections that are not over. */
  open = 0
  /** Of those, connections that were upgraded. */
  upgraded = 0
  /** Answers by the hundreds of their status. */
  readonly answers = [0, 0, 0, 0, 0, 0]
  reused = 0
  bytesIn = 0
  bytesOut = 0
  messages = 0
  frames = 0

  counted(status: number, bytesIn: number, bytesOut: number, reused: boolean): void {
    const hundreds = Math.floor(status / 100)
    this.answers[hundreds] = (this.answers[hundreds] ?? 0) + 1
    this.bytesIn += bytesIn
    this.bytesOut += bytesOut
    if (reused) this.reused++
  }

  watched({ client, service }: UpgradeSummary): void {
    this.frames += client.frames + service.frames
    this.messages += client.messages + service.messages
  }

  get metrics(): Metric[] {
    const answers = [1, 2, 3, 4, 5].map(hundreds => ({
      name: `ingress_answers_${hundreds}xx_total`,
      help: `Requests that were answered with ${hundreds}xx`,
      kind: 'counter' as const,
      read: () => this.answers[hundreds] ?? 0,
    }))
    return [
      { name: 'ingress_open', help: 'Requests and upgraded connections', kind: 'gauge', read: () => this.open },
      { name: 'ingress_upgraded', help: 'Upgraded connections', kind: 'gauge', read: () => this.upgraded },
      ...answers,
      {
        name: 'ingress_reused_total',
        help: 'Requests over a connection to the service that had carried another',
        kind: 'counter',
        read: () => this.reused,
      },
      { name: 'ingress_received_bytes_total', help: 'Bytes from clients', kind: 'counter', read: () => this.bytesIn },
      { name: 'ingress_sent_bytes_total', help: 'Bytes to clients', kind: 'counter', read: () => this.bytesOut },
      {
        name: 'ingress_websocket_frames_total',
        help: 'WebSocket frames seen, of connections that have ended',
        kind: 'counter',
        read: () => this.frames,
      },
      {
        name: 'ingress_websocket_messages_total',
        help: 'WebSocket messages seen, of connections that have ended',
        kind: 'counter',
        read: () => this.messages,
      },
    ]
  }
}
