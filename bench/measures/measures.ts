import { type Profile, profiles } from '../link/profile.ts'
import { bulk } from './bulk.ts'
import { connections } from './connections.ts'
import { fairness } from './fairness.ts'
import { besideTen, typing } from './interactive.ts'
import { always, type Measure } from './measure.ts'
import { goodput, reach } from './reach.ts'
import { requests } from './requests.ts'
import { roundtrip } from './roundtrip.ts'

/** In the order of the report. */
export const measures: readonly Measure[] = [
  bulk('up', 1),
  bulk('down', 1),
  requests(1, { plain: { ratio: 0.85 } }),
  requests(64, { plain: { ratio: 1.4 } }),
  requests(512, { plain: { ratio: 1.4 } }),
  roundtrip,
  connections,
]

/** With `--full`. */
export const moreMeasures: readonly Measure[] = [bulk('up', 8), bulk('down', 8)]

/** Long ones, on loopback. */
export const fairnessMeasures: readonly Measure[] = [
  fairness('down'),
  fairness('up'),
  besideTen('down', 'loopback'),
  besideTen('up', 'loopback'),
]

export interface LinkMeasures {
  readonly profile: Profile
  /** How many contenders are measured at the same time, each over a link of its own: a slow one leaves cores idle. */
  readonly atOnce: number
  readonly measures: readonly Measure[]
}

/** Over links. */
export const linkMeasures: readonly LinkMeasures[] = [
  { profile: profiles.far, atOnce: 1, measures: [reach(profiles.far, 'down'), reach(profiles.far, 'up')] },
  {
    profile: profiles.narrow,
    atOnce: 4,
    measures: [typing('down', always({ value: 130 })), typing('up', always({ value: 130 }))],
  },
  {
    profile: profiles.near,
    atOnce: 1,
    measures: [goodput('down'), goodput('up'), besideTen('down', 'link'), besideTen('up', 'link')],
  },
  { profile: profiles.stalling, atOnce: 4, measures: [goodput('down', 12_000), goodput('up', 12_000)] },
]
