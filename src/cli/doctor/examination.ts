/** What `tunnelctl doctor` looks at, in the order in which a connection needs it. */
import { TunnelError } from '../../errors.ts'
import { clock, configuration, gateway, name, network, proxy, tls, token, webSocket } from './gateway.ts'
import type { Check, Finding, Known, Patient } from './patient.ts'
import { agentAndService } from './session.ts'
import { throughput } from './throughput.ts'

/** Yields each finding as it is made; after the first that is wrong, the others are skipped. A check that does not apply yields nothing. */
export async function* examine(patient: Patient): AsyncGenerator<Finding> {
  const known: Known = { address: { url: new URL('ws://unknown') }, token: undefined }
  let failed = false
  for (const [name, check] of checks) {
    if (failed) {
      yield { name, skipped: true }
      continue
    }
    try {
      const found = await check(patient, known)
      if (found !== undefined) yield { name, found }
    } catch (thrown) {
      if (!(thrown instanceof TunnelError)) throw thrown
      failed = true
      yield { name, error: thrown }
    }
  }
}

const checks: readonly (readonly [name: string, check: Check])[] = [
  ['configuration', configuration],
  ['token', token],
  ['proxy', proxy],
  ['name', name],
  ['network', network],
  ['TLS', tls],
  ['gateway', gateway],
  ['clock', clock],
  ['WebSocket', webSocket],
  ['agent', agentAndService],
  ['throughput', throughput],
]
