/** The demo's stage: a gateway, an agent and the sample service, on loopback, with keys and tokens of their own. */
import { rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TunnelError } from '../../errors.ts'
import { readPrivateKey, writeKeyPair } from '../../token/keys.ts'
import { createToken } from '../../token/token.ts'
import { Child, failed } from './child.ts'

const TTL_MS = 24 * 60 * 60_000
const quietLog = ['--log-format', 'json', '--log-level', 'info']

export class Stage {
  readonly #lost: (child: Child, why: TunnelError) => void
  readonly #children = new Set<Child>()
  #folder = ''
  #url = ''
  #gateway: Child | undefined
  #closed = false
  readonly #atExit = () => this.#abandon()

  /** @param lost told when a process ends by itself */
  constructor(lost: (child: Child, why: TunnelError) => void) {
    this.#lost = lost
  }

  get url(): string {
    return this.#url
  }

  get connectTokenFile(): string {
    return join(this.#folder, 'connect.token')
  }

  /** Of its process as it is now. */
  get gatewayPid(): number {
    return this.#gateway?.pid ?? 0
  }

  /**
   * Resolves when the agent is registered at the gateway. Call `close` afterwards, also when this fails.
   * @throws TunnelError
   */
  async open(): Promise<void> {
    process.once('exit', this.#atExit)
    await this.#prepareFolder()
    const service = this.#start('service', ['demo', '--serve'])
    const [{ web, echo }] = await Promise.all([service.says('listening'), this.startGateway()])
    const agent = this.#start('agent', [
      'agent',
      ...['--gateway', this.#url, '--token-file', join(this.#folder, 'agent.token'), ...quietLog],
      ...['--service', `web/demo:80=${web}`, '--service', `echo/demo:7=${echo}`],
    ])
    await agent.says('registered')
  }

  /** Starts the gateway; again on the address that it had before. */
  async startGateway(): Promise<void> {
    const listen = this.#url === '' ? '127.0.0.1:0' : new URL(this.#url).host
    const verifyKey = join(this.#folder, 'issuer.key.pub')
    const gateway = this.#start('gateway', ['gateway', '--listen', listen, '--verify-key', verifyKey, ...quietLog])
    this.#gateway = gateway
    const { url } = await gateway.says('listening')
    this.#url = String(url)
  }

  /** Ends the gateway with SIGKILL. */
  async killGateway(): Promise<void> {
    await this.#gateway?.kill()
  }

  /** Ends every process and removes the folder. Nothing can be started afterwards. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#children].map(child => child.stop()))
    if (this.#folder !== '') await rm(this.#folder, { recursive: true, force: true })
    process.off('exit', this.#atExit)
  }

  async #prepareFolder(): Promise<void> {
    try {
      // Only this user may enter it: mkdtemp sees to that.
      this.#folder = await mkdtemp(join(tmpdir(), 'tunnelctl-demo-'))
      const keyFile = join(this.#folder, 'issuer.key')
      await writeKeyPair(keyFile)
      const key = await readPrivateKey(keyFile)
      const common = { agents: ['demo'], ttlMs: TTL_MS, now: Date.now() }
      const agent = await createToken(key, { role: 'agent', subject: 'demo-agent', allow: [], ...common })
      const connect = await createToken(key, { role: 'connect', subject: 'demo', allow: ['*/demo:*'], ...common })
      await writeFile(join(this.#folder, 'agent.token'), `${agent}\n`, { mode: 0o600 })
      await writeFile(this.connectTokenFile, `${connect}\n`, { mode: 0o600 })
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException
      throw failed(`cannot write to a folder in ${tmpdir()}: ${code ?? message}`, thrown, 'set TMPDIR to a folder')
    }
  }

  #start(name: string, args: readonly string[]): Child {
    if (this.#closed) throw failed(`the ${name} cannot be started: the demo is over`)
    const child = new Child(name, args, why => this.#lost(child, why))
    this.#children.add(child)
    void child.ended.then(() => this.#children.delete(child))
    return child
  }

  /** When this process ends without `close`, there is no time to wait for anything. */
  #abandon(): void {
    for (const child of this.#children) void child.kill()
    if (this.#folder !== '') rmSync(this.#folder, { recursive: true, force: true })
  }
}
