import { Child } from '../child.ts'
import { type MakeContender, madeOf, starting } from '../contenders/contender.ts'
import { event, makeTokens, tunnelctlProgram } from '../contenders/tunnelctl.ts'
import { listening, withFreePorts } from '../port.ts'
import { domain, targetNames, targets } from './targets.ts'

/**
 * Gateway and agent as two processes, the way a user starts them. The gateway's log, which has a line for every request, goes to
 * /dev/null.
 * @param detail of `--log-frames`
 */
function tunnelctl(name: string, detail: 'off' | 'totals' | 'each'): MakeContender {
  const program = tunnelctlProgram() ?? ''
  const about = { hops: 2, transport: 'HTTP/1.1 to the gateway, then streams in one WebSocket' }
  return madeOf(
    [],
    {
      ...{ name, security: 'plain' },
      about: detail === 'off' ? about : { ...about, note: `--log-frames ${detail}` },
      ...(program === '' && { missing: 'unbuilt' }),
    },
    (_, services, { probe = false }) =>
      withFreePorts(1, ([port = 0]) =>
        starting(async processes => {
          const { key, agentToken } = await makeTokens()
          const start = (role: string, args: readonly string[], quiet = false): Child => {
            const child = new Child(role, process.execPath, [program, role, ...args], { probe, quiet })
            processes.push(child)
            return child
          }
          const gateway = start(
            'gateway',
            [
              ...['--listen', `127.0.0.1:${port}`, '--admin-listen', '127.0.0.1:0', '--verify-key', `${key}.pub`],
              ...['--ingress-domain', domain, '--ingress-public', '*/*:*', '--log-frames', detail],
            ],
            true,
          )
          await listening(gateway, port)
          const given = targetNames.filter(target => services[target] !== undefined)
          const named = given.flatMap(target => [
            '--service',
            `${target}/bench:${targets[target]}=127.0.0.1:${services[target]}`,
          ])
          const agent = start('agent', ['--gateway', `ws://127.0.0.1:${port}`, '--token-file', agentToken, ...named])
          await agent.line('stderr', 'event "registered"', line => event(line, 'registered'))
          return { ports: Object.fromEntries(given.map(target => [target, port])) }
        }),
      ),
  )
}

export const tunnelctlOff = tunnelctl('tunnelctl', 'off')
export const tunnelctlTotals = tunnelctl('tunnelctl-totals', 'totals')
export const tunnelctlEach = tunnelctl('tunnelctl-each', 'each')
