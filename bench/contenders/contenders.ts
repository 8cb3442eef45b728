import type { MakeContender, Security } from './contender.ts'
import { direct } from './direct.ts'
import { haproxy } from './haproxy.ts'
import { raw } from './raw.ts'
import { tunnelctl } from './tunnelctl.ts'

/** Those of a usual run, in the order of the report. */
export const contenders: readonly MakeContender[] = [direct, raw, haproxy.plain, tunnelctl.plain]

/** In the order of the report: with `--peers` all of them run, and `--only` chooses from them. */
export const allContenders: readonly MakeContender[] = [...contenders, haproxy.tls, tunnelctl.tls]

/** The contender that all others are compared with. */
export const yardstick = 'haproxy'

/** The contender that the others of its security are compared with. */
export function yardstickOf(security: Security): string {
  return security === 'plain' ? yardstick : `${yardstick}-tls`
}
