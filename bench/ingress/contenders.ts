import type { MakeContender } from '../contenders/contender.ts'
import { direct } from '../contenders/direct.ts'
import { haproxy } from './haproxy.ts'
import { nginx } from './nginx.ts'
import { tunnelctlEach, tunnelctlOff, tunnelctlTotals } from './tunnelctl.ts'

/** In the order of the report. */
export const contenders: readonly MakeContender[] = [
  direct,
  haproxy,
  nginx,
  tunnelctlOff,
  tunnelctlTotals,
  tunnelctlEach,
]

/** Those that differ from `tunnelctl` only in what they log of frames: nothing else is measured of them. */
export const framesOnly: ReadonlySet<string> = new Set(['tunnelctl-totals', 'tunnelctl-each'])
