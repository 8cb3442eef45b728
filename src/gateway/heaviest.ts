/** Who is in the way when the queues of all routes together are too long: whose receivers take least of what is sent to them. */
import type { Hop, Leg } from './hop.ts'

/** The longest queue of the subject that connects which has most waiting, over all of its carriers; undefined when nothing waits. */
export function heaviest(hops: Iterable<Hop>): Leg | undefined {
  const bySubject = new Map<string, { bytes: number; longest: Leg }>()
  for (const { waiting } of hops) {
    for (const leg of waiting) {
      const client = leg.hop.principal.role === 'connect' ? leg.hop : leg.peer?.hop
      const subject = client?.principal.subject ?? ''
      const { bytes = 0, longest = leg } = bySubject.get(subject) ?? {}
      const longer = leg.queuedBytes > longest.queuedBytes ? leg : longest
      bySubject.set(subject, { bytes: bytes + leg.queuedBytes, longest: longer })
    }
  }
  const [most] = [...bySubject.values()].sort((a, b) => b.bytes - a.bytes)
  return most?.longest
}
