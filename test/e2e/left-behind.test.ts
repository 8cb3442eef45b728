/**
 * What is above tunnelctl is killed: npx, the shell, the terminal. Within 3 s nothing is left, neither tunnelctl nor the
 * command that it runs. Only a SIGKILL of tunnelctl itself leaves that command: nobody is there any more to end it.
 */
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Marked } from '../support/left-behind.ts'
import { installed, npmEnv } from '../support/npm.ts'
import { eventually } from '../support/processes.ts'
import { realTest, start } from '../support/servers.ts'
import { dial, freePort, serveByHand } from '../support/sockets.ts'
import { TestTerminal } from '../support/terminal.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
const service = await serveByHand(scope)
await site.agent(gateway, serviceArgs({ 'echo/test:7': service.port }))
const env = {
  ...npmEnv,
  TUNNELCTL_GATEWAY: gateway.url,
  TUNNELCTL_TOKEN_FILE: await site.token({ role: 'connect' }),
}
const folder = await installed(scope)
const npx = ['npx', '--no-install', 'tunnelctl']
const binary = [process.execPath, fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))]

interface Way {
  readonly name: string
  args(port: number): readonly string[]
  /** Resolves when all of it runs, with a connection that is open. */
  up(port: number, marked: Marked): Promise<void>
}

const forward = (port: number): string => `127.0.0.1:${port}:echo/test:7`

async function connected(port: number): Promise<void> {
  const dialled = () =>
    dial(port).then(
      () => true,
      () => false,
    )
  await eventually(dialled, () => `nobody listens on port ${port}`)
  await service.accepted()
}

const ways: readonly Way[] = [
  { name: 'a forward', args: port => [forward(port)], up: connected },
  { name: '--stdio', args: () => ['--stdio', 'echo/test:7'], up: async () => void (await service.accepted()) },
  {
    name: '-- COMMAND',
    args: port => [forward(port), '--', 'sleep', '1000'],
    async up(port, marked) {
      await connected(port)
      await eventually(
        () => [...marked.alive().values()].includes('sleep 1000'),
        () => 'the command does not run',
      )
    },
  },
]

const tmux = { programs: ['tmux', 'npx'], packages: 'tmux npm' }

// Elsewhere there is no /proc to find them in.
for (const { name, args, up } of process.platform === 'linux' ? ways : []) {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    realTest(`${name} ends with npx, by ${signal}`, { programs: ['npx'], packages: 'npm' }, async t => {
      const [marked, port] = [new Marked(), await freePort()]
      const all = [...npx.slice(1), 'connect', ...args(port)]
      const running = start(t, 'npx', all, { env: { ...env, ...marked.env }, cwd: folder, stdin: 'pipe' })
      await up(port, marked)
      process.kill(running.pid, signal)
      await marked.gone()
    })
  }

  for (const [how, program] of [
    ['by npx', npx],
    ['installed', binary],
  ] as const) {
    const open = async (scope: Parameters<typeof TestTerminal.open>[0]) => {
      const [marked, port] = [new Marked(), await freePort()]
      const terminal = await TestTerminal.open(scope, 'bash --norc --noprofile -i', { ...env, ...marked.env })
      await terminal.type(`cd '${folder}'; ${[...program, 'connect', ...args(port)].join(' ')}`, 'Enter')
      await up(port, marked)
      return { terminal, marked }
    }

    for (const signal of ['SIGHUP', 'SIGKILL'] as const) {
      realTest(`${name}, ${how}, ends with the shell, by ${signal}`, tmux, async t => {
        const { marked } = await open(t)
        process.kill(marked.find('bash'), signal)
        await marked.gone()
      })
    }

    realTest(`${name}, ${how}, ends with the terminal`, tmux, async t => {
      const { terminal, marked } = await open(t)
      await terminal.close()
      await marked.gone()
    })
  }
}
