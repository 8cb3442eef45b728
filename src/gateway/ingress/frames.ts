/** How much is told of the frames of an upgraded WebSocket: nothing, their totals when it ends, or each. */
import { Opcode } from '../../carrier/framing.ts'
import type { Clock } from '../../clock.ts'
import type { Tap } from '../../net/splice.ts'
import type { Log } from '../../observe/log.ts'
import type { Frame, Side } from './frame.ts'
import { type UpgradeSummary, UpgradeTap } from './upgrade-tap.ts'

const names = new Map<number, string>(Object.entries(Opcode).map(([name, opcode]) => [opcode, name.toLowerCase()]))

export type FrameDetail = 'off' | 'totals' | 'each'

export interface FrameWatch {
  readonly tap: Tap
  readonly summary: () => UpgradeSummary
}

/** @param id of the request, on every line */
export function watchFrames(detail: Exclude<FrameDetail, 'off'>, id: string, log: Log, clock: Clock): FrameWatch {
  const each = (frame: Frame, from: Side) => log.info('frame', { id, from, ...shown(frame) })
  const tap = new UpgradeTap({ now: () => clock.now(), ...(detail === 'each' && { log: each }) })
  return {
    tap: { fromSocket: chunk => tap.client.read(chunk), fromStream: chunk => tap.service.read(chunk) },
    summary: () => tap.summary(),
  }
}

/** Of a payload nothing is shown but what closes: it is the service's. */
function shown(frame: Frame): object {
  const { opcode, fin, rsv1, bytes } = frame
  const head = { opcode: names.get(opcode), bytes, ...(!fin && { fin }), ...(rsv1 && { compressed: true }) }
  return 'code' in frame ? { ...head, closeCode: frame.code, reason: frame.reason } : head
}
