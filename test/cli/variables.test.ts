import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { wholeProgram } from '../../src/cli/program.ts'
import { checkVariables, optionVariables } from '../../src/cli/variables.ts'
import { tunnelctl } from '../support/processes.ts'

test('the variables are those of the options, all of them', async () => {
  const found = new Set<string>()
  const visit = ({ options, commands }: Command): void => {
    for (const { envVar } of options) if (envVar !== undefined) found.add(envVar)
    commands.forEach(visit)
  }
  const { stdin, stdout, stderr } = process
  visit(await wholeProgram({ stdin, stdout, stderr, env: {} } as Parameters<typeof wholeProgram>[0]))
  assert.deepEqual([...optionVariables].sort(), [...found].sort())
})

test('a variable that means nothing is refused, with the one that may be meant', async () => {
  const table: [string, RegExp][] = [
    ['TUNNELCTL_VERIFY_KEYS', /did you mean TUNNELCTL_VERIFY_KEY\?/],
    ['TUNNELCTL_TOKN', /did you mean TUNNELCTL_TOKEN\?/],
    ['TUNNELCTL_AUTH', /unset it/],
    ['TUNNELCTL_', /unset it/],
    ['TUNNELCTL_HOSTS', /unset it|did you mean/],
  ]
  for (const [name, hint] of table)
    await assert.rejects(checkVariables({ [name]: 'x' }), { code: 'USAGE', message: new RegExp(`^${name} is`), hint })
})

test('what is set by us, by Kubernetes, or to nothing, is no mistake', async () => {
  await checkVariables({
    TUNNELCTL_TOKEN: 'x',
    TUNNELCTL_CONFIG: 'x',
    TUNNELCTL_HOST: '127.0.0.1',
    TUNNELCTL_PORT2: '1',
    TUNNELCTL_GATEWAY_SERVICE_HOST: '10.0.0.1',
    TUNNELCTL_GATEWAY_SERVICE_PORT_HTTPS: '443',
    TUNNELCTL_GATEWAY_PORT: 'tcp://10.0.0.1:443',
    TUNNELCTL_GATEWAY_PORT_443_TCP_ADDR: '10.0.0.1',
    TUNNELCTL_OLD: '',
    OTHER: 'x',
  })
})

test('no command runs with one, and help and version are there all the same', async () => {
  const env = { TUNNELCTL_VERIFY_KEYS: 'x' }
  const ended = async (...args: string[]) => await tunnelctl('tunnelctl', args, { env }).exited
  const refused = tunnelctl('gateway', ['gateway', '--dev'], { env })
  assert.deepEqual((await refused.exited).code, 2)
  assert.match(refused.stderr, /TUNNELCTL_VERIFY_KEYS is set in the environment, and means nothing/)
  for (const args of [['--version'], ['gateway', '--help'], ['--help']]) assert.equal((await ended(...args)).code, 0)
})
