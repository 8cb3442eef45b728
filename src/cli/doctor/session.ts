/** The checks of `tunnelctl doctor` behind the gateway: the agent, and the service. */
import { systemClock } from '../../clock.ts'
import { asTunnelError } from '../../errors.ts'
import { formatTarget, type Target } from '../../net/target.ts'
import { formatMs } from '../output/units.ts'
import { Suggestions } from '../suggestion.ts'
import type { Known, Patient } from './patient.ts'
import { type Probe, withProbe } from './probe.ts'

export async function agentAndService(patient: Patient, known: Known): Promise<string> {
  const { target } = patient
  try {
    return await withProbe(patient, known, target, async probe => {
      const { agent, ping } = probe.snapshot
      const legs = ping.gatewayMs === undefined ? '' : `, ${formatMs(ping.gatewayMs)} of them to the gateway`
      const answers = `${agent} answers in ${ping.nowMs === undefined ? 'time' : formatMs(ping.nowMs)}${legs}`
      return target === undefined ? answers : `${answers}; ${await reached(target, probe)}`
    })
  } catch (thrown) {
    if (target === undefined) throw thrown
    const suggestions = new Suggestions({ ...known.address, token: known.token })
    throw await suggestions.improve(asTunnelError(thrown), formatTarget(target))
  }
}

async function reached(target: Target, probe: Probe): Promise<string> {
  if (target.protocol === 'udp') return `${formatTarget(target)} is UDP, where nobody answers a dial`
  const since = systemClock.now()
  const socket = await probe.dial()
  socket.destroy()
  return `${formatTarget(target)} accepts connections, after ${formatMs(systemClock.now() - since)}`
}
