import { bore } from './bore.ts'
import { chisel } from './chisel.ts'
import type { MakeContender, Security } from './contender.ts'
import { direct } from './direct.ts'
import { frp } from './frp.ts'
import { haproxy } from './haproxy.ts'
import { openssh } from './openssh.ts'
import { penguin, penguinTwice } from './penguin.ts'
import { rathole } from './rathole.ts'
import { raw } from './raw.ts'
import { tunnelctl } from './tunnelctl.ts'
import { websocat } from './websocat.ts'
import { wstunnel } from './wstunnel.ts'

/** Those of a usual run, in the order of the report. */
export const contenders: readonly MakeContender[] = [direct, raw, haproxy.plain, tunnelctl.plain]

/** In the order of the report: with `--peers` all of them run, and `--only` chooses from them. */
export const allContenders: readonly MakeContender[] = [
  ...contenders,
  penguin.plain,
  penguinTwice.plain,
  wstunnel.plain,
  frp.plain,
  websocat,
  bore,
  rathole,
  haproxy.tls,
  tunnelctl.tls,
  penguin.tls,
  penguinTwice.tls,
  wstunnel.tls,
  frp.tls,
  chisel.plain,
  chisel.tls,
  openssh,
]

/** The contender that all others are compared with. */
export const yardstick = 'haproxy'

/** The contender that the others of its security are compared with. */
export function yardstickOf(security: Security): string {
  return security === 'plain' ? yardstick : `${yardstick}-tls`
}
