/** What the contenders lead to. Each service is a process of its own; one that cannot be had is absent. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, scratch } from './child.ts'
import { listening, withFreePorts } from './port.ts'
import type { Tool, ToolName, Tools } from './tools.ts'

/** The last three are those of the ingress. */
export type ServiceName = 'echo' | 'http' | 'iperf' | 'blob' | 'pour' | 'web' | 'sink' | 'websocket'

/** The program that a service needs; the others are the bench's own. */
export const serviceTool: { readonly [name in ServiceName]?: ToolName } = {
  http: 'nginx',
  iperf: 'iperf3',
  web: 'nginx',
}

/** Loopback ports by service. */
export type Ports = { readonly [name in ServiceName]?: number }

export interface Services {
  readonly ports: Ports
  /** Of the blob, when that service runs. */
  readonly sha256?: string
  stop(): Promise<void>
}

/** What nginx answers to every request. */
export const httpBody = 'hello\n'

/**
 * @param blobBytes starts the blob service with so many random bytes; 0 leaves it out
 * @param pour starts the service that pours. What nobody needs is left out: each is one more way for every contender
 */
export async function startServices(tools: Tools, blobBytes: number, pour = false): Promise<Services> {
  const children: Child[] = []
  const ports: { [name in ServiceName]?: number } = {}
  let sha256: string | undefined

  const echo = Child.own('echo service', 'processes/echo.ts')
  children.push(echo)
  ports.echo = (await echo.message<{ port: number }>()).port
  if (pour) {
    const child = Child.own('pour service', 'processes/pour.ts')
    children.push(child)
    ports.pour = (await child.message<{ port: number }>()).port
  }
  if (blobBytes > 0) {
    const blob = Child.own('blob service', 'processes/blob.ts', [String(blobBytes)])
    children.push(blob)
    const facts = await blob.message<{ port: number; sha256: string }>()
    ports.blob = facts.port
    sha256 = facts.sha256
  }
  if (tools.nginx) {
    const { child, port } = await startNginx(tools.nginx)
    children.push(child)
    ports.http = port
  }
  if (tools.iperf3) {
    const { child, port } = await startIperf(tools.iperf3)
    children.push(child)
    ports.iperf = port
  }
  return {
    ports,
    ...(sha256 === undefined ? {} : { sha256 }),
    stop: async () => {
      await Promise.all(children.map(child => child.stop()))
    },
  }
}

function startNginx(tool: Tool): Promise<{ child: Child; port: number }> {
  return withFreePorts(1, async ([port = 0]) => {
    const folder = scratch()
    const file = join(folder, 'nginx.conf')
    // Without a master there is one process, and one kill ends it.
    writeFileSync(
      file,
      `daemon off; master_process off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path ${folder}/nginx-body;
  proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-fastcgi;
  uwsgi_temp_path ${folder}/nginx-uwsgi;
  scgi_temp_path ${folder}/nginx-scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  server { listen 127.0.0.1:${port} backlog=4096; location / { return 200 ${JSON.stringify(httpBody)}; } }
}
`,
    )
    const child = new Child('nginx', tool.path, ['-e', 'stderr', '-p', folder, '-c', file])
    await listening(child, port)
    return { child, port }
  })
}

function startIperf(tool: Tool): Promise<{ child: Child; port: number }> {
  return withFreePorts(1, async ([port = 0]) => {
    const child = new Child('iperf3 server', tool.path, ['-s', '-B', '127.0.0.1', '-p', String(port), '--forceflush'])
    // It serves one client at a time and takes any connection for one, so its own word is awaited, not a connection.
    await child.line('stdout', 'listener', line => (line.includes('Server listening') ? true : undefined))
    return { child, port }
  })
}
