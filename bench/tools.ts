/** The programs beside Node that the bench uses when they are installed. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

const number = /(\d+\.\d+\S*)/

/** How each of them is asked for its version; those of ssh have that of ssh. */
const programs = {
  iperf3: { flag: '--version', pattern: /^iperf (\S+)/ },
  nginx: { flag: '-v', pattern: /nginx\/(\S+)/ },
  wrk: { flag: '-v', pattern: /^wrk (\S+)/ },
  haproxy: { flag: '-v', pattern: /version (\S+)/i },
  openssl: { flag: 'version', pattern: number },
  ssh: { flag: '-V', pattern: /OpenSSH_([^\s,]+)/ },
  sshd: undefined,
  'ssh-keygen': undefined,
  bore: { flag: '--version', pattern: number },
  chisel: { flag: '--version', pattern: number },
  frpc: { flag: '--version', pattern: number },
  frps: { flag: '--version', pattern: number },
  penguin: { flag: '--version', pattern: number },
  rathole: { flag: '--version', pattern: /^Build Version: +(\S+)/m },
  websocat: { flag: '--version', pattern: number },
  wstunnel: { flag: '--version', pattern: number },
} as const

export type ToolName = keyof typeof programs

/** What makes the load and answers it; the others are what contenders are made of. */
export const loadTools: readonly ToolName[] = ['iperf3', 'nginx', 'wrk']

/** What gets a thing that is missing, where no contender says so. */
export const installs: Readonly<Record<string, string>> = {
  iperf3: 'apt-get install iperf3',
  nginx: 'apt-get install nginx',
  wrk: 'apt-get install wrk',
  openssl: 'apt-get install openssl',
  unbuilt: 'npm run build',
}

export interface Tool {
  readonly path: string
  /** Absent when the program does not tell. */
  readonly version?: string
}

/** A tool that is not installed is absent. */
export type Tools = { readonly [name in ToolName]?: Tool }

/** @param folder looked at before all others */
export function findTools(folder?: string): Tools {
  const folders = [...(folder === undefined ? [] : [folder]), ...usualFolders()]
  const tools: { [name in ToolName]?: Tool } = {}
  for (const name of Object.keys(programs) as ToolName[]) {
    const path = findProgram(name, folders)
    if (path === undefined) continue
    const version = askVersion(path, programs[name])
    tools[name] = { path, ...(version === undefined ? {} : { version }) }
  }
  return tools
}

/** Debian keeps servers, and cargo and go keep what they install, where the PATH of an ordinary user may not look. */
function usualFolders(): string[] {
  const { PATH = '', GOBIN } = process.env
  const installed = [join(homedir(), '.cargo', 'bin'), GOBIN || join(homedir(), 'go', 'bin')]
  return [...PATH.split(delimiter), ...installed, '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(path => path !== '')
}

function findProgram(name: string, folders: readonly string[]): string | undefined {
  return folders
    .map(folder => join(folder, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

function askVersion(path: string, how: (typeof programs)[ToolName]): string | undefined {
  if (how === undefined) return undefined
  const { stdout, stderr } = spawnSync(path, [how.flag], { encoding: 'utf8', timeout: 5_000 })
  return how.pattern.exec(`${stdout}${stderr}`)?.[1]
}
