/** Which service? Asked at a terminal when `connect` was told none. */
import { TunnelError } from '../errors.ts'
import { formatTarget } from '../net/target.ts'
import type { ListedAgent } from './directory.ts'
import type { Io } from './io.ts'
import { searchFor } from './prompt.ts'
import { type Pick, recentPicks, rememberPick } from './recent.ts'

/** What is offered. */
export interface Offer extends Pick {
  readonly portName: string | undefined
  readonly recent: boolean
}

/**
 * Asks for one of the services, the last choices first, and remembers the answer.
 * @throws TunnelError USAGE when there is none, INTERRUPTED
 */
export async function pickTarget(agents: readonly ListedAgent[], io: Io): Promise<Pick> {
  const offers = offersOf(agents, recentPicks(io.env))
  if (offers.length === 0) {
    throw new TunnelError('USAGE', 'no target was given, and no service is published that the token allows', {
      hint: 'name one, for example: tunnelctl connect db/prod:5432',
    })
  }
  const several = agents.length > 1
  const picked = await searchFor(
    'Which service?',
    term => matching(offers, term).map(offer => ({ name: labelOf(offer, several), value: offer })),
    io,
  )
  const { agent, target } = picked
  rememberPick(io.env, { agent, target })
  io.stderr.write(`tunnelctl connect ${several ? `--agent ${agent} ` : ''}${target}\n`)
  return { agent, target }
}

/** Every port of every service, TCP or UDP; those that were picked before come first, the newest of them at the top. */
export function offersOf(agents: readonly ListedAgent[], recent: readonly Pick[]): Offer[] {
  const rank = new Map(recent.map(({ agent, target }, index) => [`${agent} ${target}`, index]))
  const rankOf = ({ agent, target }: Pick) => rank.get(`${agent} ${target}`) ?? recent.length
  const all = agents.flatMap(({ name, services }) =>
    services.flatMap(({ service, namespace, ports }) =>
      ports.map(({ port, protocol, name: portName }) => {
        const pick = { agent: name, target: formatTarget({ service, namespace, port, protocol }) }
        return { ...pick, portName, recent: rankOf(pick) < recent.length }
      }),
    ),
  )
  return all.sort((a, b) => rankOf(a) - rankOf(b))
}

/** Those that have each word of `term` somewhere: in service, namespace, port, its name, or agent. */
export function matching(offers: readonly Offer[], term: string | undefined): Offer[] {
  const words = (term ?? '').toLowerCase().split(/\s+/)
  return offers.filter(({ agent, target, portName = '' }) => {
    const text = `${target} ${portName} ${agent}`.toLowerCase()
    return words.every(word => text.includes(word))
  })
}

function labelOf({ agent, target, portName, recent }: Offer, several: boolean): string {
  const beside = [portName, several ? `via ${agent}` : undefined, recent ? 'recent' : undefined]
  const text = beside.filter(each => each !== undefined).join(', ')
  return text === '' ? target : `${target}  (${text})`
}
