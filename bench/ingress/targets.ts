/** The services of this bench, and the hosts that the ingress knows them by. */
import type { ServiceName } from '../services.ts'

/** Names for the agent's catalogue; nothing listens at these ports. */
export const targets = { web: 80, sink: 8080, websocket: 8081 } as const satisfies { [name in ServiceName]?: number }

export type Target = keyof typeof targets

export const targetNames = Object.keys(targets) as Target[]

export const domain = 'ingress.test'

/** Sent to every contender; those that are one way for each service do not look at it. */
export const hostOf = (target: Target): string => `${target}--bench--${targets[target]}.${domain}`

/** Of the web service. */
export const smallPath = '/small'
export const largePath = '/large'

/** Of the sink: with the second it answers with the sha256 too. */
export const sinkPath = '/'
export const digestPath = '/digest'
