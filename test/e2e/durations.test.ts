/** The flags that say how long things wait: what they do not take is told in one line, before anything is dialled. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { Site } from '../support/tunnel.ts'

const site = await Site.create({ after })
const dialled = ['--gateway', 'ws://127.0.0.1:1']
const commands = {
  gateway: ['gateway', '--listen', '127.0.0.1:0', '--verify-key', site.publicKeyFile],
  agent: ['agent', ...dialled, '--token-file', await site.token({ role: 'agent' })],
  connect: ['connect', ...dialled, '--token-file', await site.token({ role: 'connect' }), 'echo/test:7'],
}
type Command = keyof typeof commands

const durations: readonly [command: Command, flag: string, tooShort?: string][] = [
  ['gateway', '--drain-timeout'],
  ['agent', '--drain-timeout'],
  ['agent', '--detached-ttl'],
  ['agent', '--redial-every', '999ms'],
  ['connect', '--hold-timeout'],
  ['connect', '--redial-every', '0'],
]

/** Starts a command with a flag, or with its environment variable, that must be refused. */
async function refused(command: Command, flag: string, value: string, why: RegExp, byName = false): Promise<void> {
  const name = `TUNNELCTL_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`
  const args = byName ? commands[command] : [...commands[command], `${flag}=${value}`]
  const running = site.run(command, args, byName ? { env: { [name]: value } } : {})
  const { code } = await running.finished()
  assert.equal(code, 2, running.stderr)
  assert.match(running.stderr, /^tunnelctl: USAGE [^\n]+ \([^\n]+\)\n$/, 'not one line with a hint')
  assert.match(running.stderr, why)
  assert.equal(running.stdout, '')
}

describe('what the flags do not take', { concurrency: 3 }, () => {
  for (const [command, flag, tooShort] of durations) {
    test(`${command} ${flag}`, async () => {
      await refused(command, flag, 'soon', /malformed duration "soon" \(write it as 90s/)
      await refused(
        command,
        flag,
        '25d',
        new RegExp(`${flag} 25d is out of range \\(give something from .* to 25 d\\)`),
      )
      if (tooShort !== undefined) {
        await refused(
          command,
          flag,
          tooShort,
          new RegExp(`${flag} ${tooShort} is out of range \\(give something from 1 s`),
        )
      }
    })
  }

  test('agent --detached-memory', async () => {
    for (const value of ['0', '1.5', '-1', '1GiB', '1000000000']) {
      await refused(
        'agent',
        '--detached-memory',
        value,
        new RegExp(`--detached-memory "${value}" is not a number of MiB`),
      )
    }
  })

  test('the same by an environment variable', async () => {
    await refused('connect', '--hold-timeout', 'soon', /malformed duration "soon"/, true)
    await refused('agent', '--redial-every', '10', /malformed duration "10"/, true)
  })
})
