/**
 * A gateway, an agent and a connect from bin/, joined on free ports of loopback, with keys and tokens of their own. At
 * the end of the test everything is killed and removed, and no secret may have appeared in what the processes said or in
 * their arguments.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type PrivateJwk, readPrivateKey, writeKeyPair } from '../../src/token/keys.ts'
import { createToken, type TokenRequest } from '../../src/token/token.ts'
import { type JsonLine, makeFolder, type Process, type ProcessOptions, removeFolder, tunnelctl } from './processes.ts'

/** What ends with the test: a TestContext, or the `after` of node:test for a whole file. */
export interface Scope {
  after(task: () => void | Promise<void>): void
}

const DAY_MS = 24 * 60 * 60_000

/** A folder for one test, its key pair, and the tokens and processes made with it. */
export class Site {
  readonly folder: string
  readonly publicKeyFile: string
  readonly #key: PrivateJwk
  readonly #secrets: string[]
  readonly #processes: Process[] = []
  #tokens = 0

  /** Of every process. */
  readonly #env: NonNullable<ProcessOptions['env']>

  private constructor(folder: string, key: PrivateJwk, env: NonNullable<ProcessOptions['env']>) {
    this.folder = folder
    this.#env = env
    this.publicKeyFile = join(folder, 'issuer.key.pub')
    this.#key = key
    this.#secrets = [key.d]
  }

  static async create(scope: Scope, env: NonNullable<ProcessOptions['env']> = {}): Promise<Site> {
    const folder = makeFolder()
    const keyFile = join(folder, 'issuer.key')
    await writeKeyPair(keyFile)
    const site = new Site(folder, await readPrivateKey(keyFile), env)
    scope.after(() => site.#end())
    return site
  }

  /** Writes `text` to a file that only this user can read. */
  file(name: string, text: string): string {
    const path = join(this.folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  /** A token by the file that holds it. */
  async token(request: Partial<TokenRequest> & Pick<TokenRequest, 'role'>): Promise<string> {
    return this.file(`${++this.#tokens}.token`, `${await this.tokenText(request)}\n`)
  }

  async tokenText({ role, ...rest }: Partial<TokenRequest> & Pick<TokenRequest, 'role'>): Promise<string> {
    const token = await createToken(this.#key, {
      role,
      subject: `test-${role}`,
      agents: ['home'],
      allow: role === 'connect' ? ['*/*:*'] : [],
      ttlMs: DAY_MS,
      now: Date.now(),
      ...rest,
    })
    // The signature alone would do no harm, but whoever shows it shows the rest too.
    this.#secrets.push(token.split('.')[2] ?? token)
    return token
  }

  run(name: string, args: readonly string[], options?: ProcessOptions): Process {
    const started = tunnelctl(name, args, { ...options, env: { ...this.#env, ...options?.env } })
    this.#processes.push(started)
    return started
  }

  /** Resolves when it accepts connections. */
  async gateway(args: readonly string[] = [], listen = '127.0.0.1:0'): Promise<Gateway> {
    const all = ['gateway', '--listen', listen, '--admin-listen', '127.0.0.1:0', '--verify-key', this.publicKeyFile]
    const running = this.run('gateway', [...all, ...args])
    const { address, url, admin } = await running.event('listening')
    return { process: running, address: String(address), url: String(url), admin: `http://${String(admin)}` }
  }

  /** Resolves when it is registered. */
  async agent({ url }: Pick<Gateway, 'url'>, args: readonly string[] = [], tokenFile?: string): Promise<Agent> {
    const token = tokenFile ?? (await this.token({ role: 'agent' }))
    const all = ['agent', '--gateway', url, '--token-file', token, '--health-listen', '127.0.0.1:0']
    const running = this.run('agent', [...all, ...args])
    await running.event('registered')
    const { admin } = await running.event('listening')
    return { process: running, admin: `http://${String(admin)}` }
  }

  /** Resolves when every target has its local port. */
  async connect(
    { url }: Pick<Gateway, 'url'>,
    targets: readonly string[],
    options: ConnectOptions = {},
  ): Promise<Connect> {
    const token = options.tokenFile ?? (await this.token({ role: 'connect' }))
    // Port 0 asks for a free one: the targets' own numbers may be taken, or need rights.
    const forwards = targets.map(target => `127.0.0.1:0:${target}`)
    const all = ['connect', '--gateway', url, '--token-file', token, '-o', 'json', ...(options.args ?? []), ...forwards]
    const running = this.run('connect', all)
    const ports = new Map<string, number>()
    for (const target of targets) {
      const { local } = await running.event('forwarding', event => event.target === target)
      ports.set(target, Number(String(local).split(':').at(-1)))
    }
    return new Connect(running, ports)
  }

  async #end(): Promise<void> {
    try {
      this.#checkSecrets()
    } finally {
      await Promise.all(this.#processes.map(each => each.kill()))
      removeFolder(this.folder)
    }
  }

  #checkSecrets(): void {
    for (const { name, stdout, stderr, visibleArguments } of this.#processes) {
      for (const secret of this.#secrets) {
        assert.ok(!`${stdout}${stderr}`.includes(secret), `${name} has said a secret`)
        assert.ok(!visibleArguments.includes(secret), `${name} has a secret among its arguments`)
      }
    }
  }
}

export interface ConnectOptions {
  readonly args?: readonly string[]
  readonly tokenFile?: string
}

export interface Gateway {
  readonly process: Process
  readonly address: string
  readonly url: string
  readonly admin: string
}

export interface Agent {
  readonly process: Process
  readonly admin: string
}

export class Connect {
  readonly process: Process
  readonly #ports: ReadonlyMap<string, number>

  constructor(running: Process, ports: ReadonlyMap<string, number>) {
    this.process = running
    this.#ports = ports
  }

  get events(): readonly JsonLine[] {
    return this.process.events
  }

  port(target: string): number {
    const port = this.#ports.get(target)
    if (port === undefined) throw new Error(`${target} is not forwarded`)
    return port
  }
}

export interface TunnelOptions {
  /** The port on loopback where each target's service is. They are forwarded too. */
  readonly services: Readonly<Record<string, number>>
  /** Targets to forward beside those. */
  readonly targets?: readonly string[]
  readonly gatewayArgs?: readonly string[]
  readonly agentArgs?: readonly string[]
  readonly connect?: ConnectOptions
  /** What the token of connect allows; everything by default. */
  readonly allow?: readonly string[]
}

export interface Tunnel {
  readonly site: Site
  readonly gateway: Gateway
  readonly agent: Agent
  readonly connect: Connect
  port(target: string): number
}

/** All three, with a port for each service. */
export async function startTunnel(scope: Scope, options: TunnelOptions): Promise<Tunnel> {
  const site = await Site.create(scope)
  const gateway = await site.gateway(options.gatewayArgs)
  const agent = await site.agent(gateway, [...serviceArgs(options.services), ...(options.agentArgs ?? [])])
  const tokenFile = await site.token({ role: 'connect', ...(options.allow && { allow: options.allow }) })
  const targets = [...Object.keys(options.services), ...(options.targets ?? [])]
  const connect = await site.connect(gateway, targets, { tokenFile, ...options.connect })
  return { site, gateway, agent, connect, port: target => connect.port(target) }
}

export const serviceArgs = (services: Readonly<Record<string, number>>): string[] =>
  Object.entries(services).flatMap(([target, port]) => ['--service', `${target}=127.0.0.1:${port}`])

/** The figures of an admin port, by name without the prefix. */
export async function metricsOf({ admin }: { readonly admin: string }): Promise<Map<string, number>> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  const figures = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^tunnelctl_(\w+) (\S+)$/.exec(line) ?? []
    if (name !== undefined) figures.set(name, Number(value))
  }
  return figures
}
