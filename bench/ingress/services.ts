/** What the contenders lead to: nginx with two files, a sink for bodies, and an echo of WebSocket messages. */
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Child, scratch } from '../child.ts'
import { listening, withFreePorts } from '../port.ts'
import type { ServiceName, Services } from '../services.ts'
import type { Tool, Tools } from '../tools.ts'
import { nginxFile } from './nginx-file.ts'
import { largePath, smallPath } from './targets.ts'

export interface WebServices extends Services {
  /** Of the small file. */
  readonly small: string
  readonly largeBytes: number
  /** Of the large file. */
  readonly sha256: string
}

const small = `${'tunnelctl '.repeat(102)}end\n`

/** @param largeBytes of the large file */
export async function startWebServices(tools: Tools, largeBytes: number): Promise<WebServices> {
  const folder = join(scratch(), 'files')
  mkdirSync(folder)
  writeFileSync(join(folder, smallPath), small)
  const sha256 = writeLarge(join(folder, largePath), largeBytes)
  const children: Child[] = []
  const ports: { [name in ServiceName]?: number } = {}
  for (const [name, file] of [
    ['sink', 'processes/sink.ts'],
    ['websocket', 'processes/websocket.ts'],
  ] as const) {
    const child = Child.own(`${name} service`, file)
    children.push(child)
    ports[name] = (await child.message<{ port: number }>()).port
  }
  if (tools.nginx) {
    const { child, port } = await startNginx(tools.nginx, folder)
    children.push(child)
    ports.web = port
  }
  const stop = async () => {
    await Promise.all(children.map(child => child.stop()))
  }
  return { ports, small, largeBytes, sha256, stop }
}

/** Random, so that nothing on the way makes less of it. */
function writeLarge(file: string, bytes: number): string {
  const descriptor = openSync(file, 'w')
  const hash = createHash('sha256')
  for (let left = bytes; left > 0; left -= 2 ** 24) {
    const chunk = randomBytes(Math.min(left, 2 ** 24))
    hash.update(chunk)
    writeSync(descriptor, chunk)
  }
  closeSync(descriptor)
  return hash.digest('hex')
}

function startNginx(tool: Tool, root: string): Promise<{ child: Child; port: number }> {
  return withFreePorts(1, async ([port = 0]) => {
    const name = `web-${port}`
    const server = `server { listen 127.0.0.1:${port} backlog=4096; root ${root}; sendfile on; tcp_nopush on; }`
    const child = new Child('nginx', tool.path, nginxFile(name, [server]))
    await listening(child, port)
    return { child, port }
  })
}
