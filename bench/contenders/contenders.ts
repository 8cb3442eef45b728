import type { MakeContender } from './contender.ts'
import { direct } from './direct.ts'
import { haproxy } from './haproxy.ts'
import { raw } from './raw.ts'
import { tunnelctl } from './tunnelctl.ts'

/** In the order of the report. */
export const contenders: readonly MakeContender[] = [direct, raw, haproxy, tunnelctl]

/** The contender that all others are compared with. */
export const yardstick = 'haproxy'
