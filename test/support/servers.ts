/** Real servers on free ports of loopback, from the packages of the system, each with a folder of its own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { accessSync, chownSync, constants, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Exit, makeFolder, Process, type ProcessOptions, removeFolder } from './processes.ts'
import type { Scope } from './tunnel.ts'

/**
 * A test that needs programs which not every machine has. Without them it is skipped, and says so; with
 * TEST_REQUIRE_REAL=1 it fails.
 * @param packages Debian's packages that hold the programs
 */
export function realTest(
  name: string,
  { programs, packages }: { readonly programs: readonly string[]; readonly packages: string },
  body: (t: TestContext) => Promise<void>,
): void {
  const missing = programs.filter(each => findProgram(each) === undefined)
  if (missing.length === 0) return void test(name, body)
  const why = `${missing.join(', ')} not installed (on Debian: apt-get install ${packages})`
  if (process.env.TEST_REQUIRE_REAL === '1') test(name, () => assert.fail(why))
  else test(name, { skip: why }, () => {})
}

/** Where a program is: PATH, the folders of servers, and where Debian keeps PostgreSQL. */
export function findProgram(name: string): string | undefined {
  const postgres = '/usr/lib/postgresql'
  const versions = list(postgres).sort((a, b) => Number(b) - Number(a))
  const folders = [
    ...versions.map(version => join(postgres, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
    '/usr/sbin',
    '/sbin',
  ]
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

export const programAt = (name: string): string => findProgram(name) ?? assert.fail(`${name} is not installed`)

/** Runs a program to its end and gives what it said. Fails when it fails. */
export async function run(
  scope: Scope,
  name: string,
  args: readonly string[],
  options?: ProcessOptions,
): Promise<Process> {
  const running = start(scope, name, args, options)
  assert.deepEqual(await running.finished(60_000), { code: 0, signal: null } satisfies Exit, running.describe())
  return running
}

export function start(scope: Scope, name: string, args: readonly string[], options?: ProcessOptions): Process {
  const running = new Process(name, programAt(name), args, options)
  // The one signal by which each of these servers ends at once, and takes its workers with it.
  scope.after(() => running.stop('SIGINT'))
  return running
}

export async function startPostgres(scope: Scope, port: number): Promise<void> {
  // PostgreSQL refuses to run as root; Debian's package makes a user for it.
  const user = userInfo().uid === 0 ? idsOf('postgres') : undefined
  const folder = temporary(scope)
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const init = ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-locale', '--no-sync', '-N']
  await run(scope, 'initdb', init, user)
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'fsync=off',
    'shared_buffers=32MB',
  ]
  const args = ['-D', data, '-p', String(port), ...settings.flatMap(setting => ['-c', setting])]
  const server = start(scope, 'postgres', args, user)
  await said(server, /ready to accept connections/)
}

export async function startRedis(scope: Scope, port: number): Promise<void> {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', temporary(scope)]
  await said(start(scope, 'redis-server', args), /Ready to accept connections/)
}

export async function startIperf(scope: Scope, port: number): Promise<void> {
  const server = start(scope, 'iperf3', ['-s', '-B', '127.0.0.1', '-p', String(port), '--forceflush'])
  await said(server, /Server listening/)
}

/** Serves the files of the folder that it gives. */
export async function startNginx(scope: Scope, port: number): Promise<string> {
  const folder = temporary(scope)
  const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/temp;`)
  const config = [
    // Its workers would become another user, who may not read the folder.
    ...(userInfo().uid === 0 ? ['user root;'] : []),
    'daemon off;',
    `pid ${folder}/pid;`,
    'error_log stderr notice;',
    'events {}',
    `http { access_log off; ${own.join(' ')} server { listen 127.0.0.1:${port}; root ${folder}/www; } }`,
  ]
  mkdirSync(join(folder, 'www'))
  writeFileSync(join(folder, 'nginx.conf'), config.join('\n'))
  const server = start(scope, 'nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'])
  await said(server, /start worker process /)
  return join(folder, 'www')
}

export interface SshLogin {
  readonly folder: string
  /** Options for ssh and scp: the key, and the one host key that is accepted for `host`. */
  readonly options: readonly string[]
  readonly user: string
  readonly host: string
}

export async function startSshd(scope: Scope, port: number): Promise<SshLogin> {
  const folder = temporary(scope)
  const { username, uid } = userInfo()
  const host = 'ssh.test'
  const keygen = (file: string) => run(scope, 'ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, file)])
  await Promise.all([keygen('host'), keygen('login')])
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'login.pub')}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'Subsystem sftp internal-sftp',
  ]
  writeFileSync(join(folder, 'sshd_config'), `${config.join('\n')}\n`)
  const hostKey = readFileSync(join(folder, 'host.pub'), 'utf8')
  writeFileSync(join(folder, 'known_hosts'), `${host} ${hostKey}`)
  // The folder that sshd wants to lock itself into; on a machine with systemd the service makes it.
  if (uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  await said(start(scope, 'sshd', ['-D', '-e', '-f', join(folder, 'sshd_config')]), /Server listening/)
  const options = [
    ...['-F', 'none', '-i', join(folder, 'login')],
    ...['BatchMode=yes', 'IdentitiesOnly=yes', `UserKnownHostsFile=${join(folder, 'known_hosts')}`].flatMap(option => [
      '-o',
      option,
    ]),
  ]
  return { folder, options, user: username, host }
}

function said(server: Process, words: RegExp): Promise<true> {
  return server.until(`"${words.source}"`, () => (words.test(server.stdout + server.stderr) ? true : undefined))
}

function temporary(scope: Scope): string {
  const folder = makeFolder()
  scope.after(() => removeFolder(folder))
  return folder
}

function idsOf(user: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A pair of PEM files in `folder`: a certificate for `names` that nobody has signed but itself. */
export async function makeCertificate(
  scope: Scope,
  folder: string,
  names: readonly string[] = ['DNS:localhost'],
): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30']
  const subject = ['-subj', '/CN=localhost', ...(names.length > 0 ? ['-addext', `subjectAltName=${names}`] : [])]
  await run(scope, 'openssl', [...request, ...subject, '-keyout', key, '-out', cert])
  return { cert, key }
}

/** An authority, and what it signs: for ends that name themselves with a certificate. */
export async function makeAuthority(scope: Scope, folder: string) {
  const at = (name: string) => join(folder, name)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const constraints = ['-addext', 'basicConstraints=critical,CA:TRUE']
  const self = ['req', '-x509', ...key, '-days', '30', '-subj', '/CN=authority', ...constraints]
  await run(scope, 'openssl', [...self, '-keyout', at('ca.key'), '-out', at('ca.pem')])
  let count = 0
  return {
    ca: at('ca.pem'),
    /** @param names for subjectAltName, as `URI:spiffe://example.com/agent` */
    async sign(subject: string, names: readonly string[] = []): Promise<{ cert: string; key: string }> {
      const name = `client${++count}`
      const [cert, request] = [at(`${name}.pem`), at(`${name}.csr`)]
      await run(scope, 'openssl', ['req', ...key, '-subj', subject, '-keyout', at(`${name}.key`), '-out', request])
      writeFileSync(at(`${name}.ext`), names.length > 0 ? `subjectAltName=${names}\n` : '')
      const by = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at(`${name}.ext`)]
      await run(scope, 'openssl', ['x509', '-req', '-in', request, ...by, '-days', '30', '-out', cert])
      return { cert, key: at(`${name}.key`) }
    },
  }
}
