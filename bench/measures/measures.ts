import { bulk } from './bulk.ts'
import { connections } from './connections.ts'
import type { Measure } from './measure.ts'
import { requests } from './requests.ts'
import { roundtrip } from './roundtrip.ts'

/** In the order of the report. */
export const measures: readonly Measure[] = [
  bulk('up', 1),
  bulk('down', 1),
  requests(1),
  requests(64, 1.2),
  roundtrip,
  connections,
]

/** With `--full`. */
export const moreMeasures: readonly Measure[] = [bulk('up', 8), bulk('down', 8)]
