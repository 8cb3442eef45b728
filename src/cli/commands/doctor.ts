/** `tunnelctl doctor`: finds the first thing that is wrong between here and a service. */
import { Command } from 'commander'
import { parseTarget } from '../../net/target.ts'
import { escapeText } from '../../observe/escape.ts'
import { applyContext, contextOption } from '../config/apply.ts'
import { tokenOf } from '../dialler.ts'
import { examine } from '../doctor/examination.ts'
import type { Finding } from '../doctor/patient.ts'
import { ExitWith } from '../exit.ts'
import { type GatewayFlags, gatewayAddress, gatewayOptions } from '../gateway-options.ts'
import type { Io } from '../io.ts'
import { option } from '../options.ts'
import { type Terminal, terminalOf } from '../output/terminal.ts'
import { shutdownOnSignals } from '../signals.ts'

interface Flags extends GatewayFlags {
  readonly agent?: string
  readonly namespace?: string
  readonly output: 'text' | 'json'
}

const examples = `
Examples:
  tunnelctl doctor                as far as the agent
  tunnelctl doctor db/prod:5432   as far as the service
`

const NAME_WIDTH = 15
const MAX_TEXT = 600

export function doctorCommand(io: Io): Command {
  const command = new Command('doctor')
    .description('Checks everything that a connection needs, in order, and names the first thing that is wrong.')
    .argument('[target]', 'the service to reach: service/namespace:port')
  for (const each of gatewayOptions()) command.addOption(each)
  return command
    .addOption(contextOption())
    .addOption(option('--agent <name>', 'the agent to go through; needed if the token allows several'))
    .addOption(option('-n, --namespace <namespace>', 'the namespace of a target that names none'))
    .addOption(option('-o, --output <format>', 'text, or json').choices(['text', 'json']).default('text'))
    .hook('preAction', async self => await applyContext(self, io))
    .addHelpText('after', examples)
    .action(async (text: string | undefined, flags: Flags) => await run(text, flags, io))
}

async function run(text: string | undefined, flags: Flags, io: Io): Promise<void> {
  const target = text === undefined ? undefined : parseTarget(text, flags.namespace)
  const terminal = terminalOf({ stderr: io.stdout, env: io.env })
  const shutdown = shutdownOnSignals()
  const { agent } = flags
  const patient = {
    agent,
    target,
    env: io.env,
    signal: shutdown.signal,
    address: () => gatewayAddress(flags, io),
    token: () => tokenOf(flags, io),
  }
  let exitCode = 0
  try {
    for await (const finding of examine(patient)) {
      if (finding.error !== undefined) exitCode = finding.error.exitCode
      io.stdout.write(flags.output === 'json' ? `${JSON.stringify(jsonOf(finding))}\n` : linesOf(finding, terminal))
    }
  } finally {
    shutdown.release()
  }
  if (shutdown.interrupted()) throw new ExitWith(130)
  if (exitCode !== 0) throw new ExitWith(exitCode)
}

function linesOf({ name, found, error, skipped }: Finding, { paint }: Terminal): string {
  const label = name.padEnd(NAME_WIDTH)
  if (skipped) return `${paint.dim(`- ${label}not looked at`)}\n`
  if (error === undefined) return `${paint.green('✓')} ${label}${escapeText(found ?? '', MAX_TEXT)}\n`
  const { code, message, hint } = error
  const advice = hint === '' ? '' : `  ${' '.repeat(NAME_WIDTH)}${escapeText(hint, MAX_TEXT)}\n`
  return `${paint.red('✗')} ${label}${code} ${escapeText(message, MAX_TEXT)}\n${advice}`
}

function jsonOf({ name, found, error, skipped }: Finding): object {
  if (error === undefined) return { check: name, ok: skipped ? null : true, ...(found !== undefined && { found }) }
  return { check: name, ok: false, code: error.code, message: error.message, hint: error.hint }
}
