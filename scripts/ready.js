// Makes a fresh clone ready: installs from the lockfile and builds, each only when something changed since the last time.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

step('install', ['package.json', 'package-lock.json'], 'node_modules/.ready', 'npm', [
  'ci',
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
])
step(
  'build',
  ['package.json', 'package-lock.json', 'scripts/build.js', ...sources('src')],
  'dist/.ready',
  process.execPath,
  ['scripts/build.js'],
)

function step(name, inputs, stamp, command, args) {
  const hash = createHash('sha256')
  for (const file of inputs) hash.update(file).update(readFileSync(join(root, file)))
  const digest = hash.digest('hex')
  const stampFile = join(root, stamp)
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === digest) return
  process.stderr.write(`${name}…\n`)
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
  mkdirSync(join(stampFile, '..'), { recursive: true })
  writeFileSync(stampFile, digest)
}

function sources(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(root.length))
    .sort()
}
