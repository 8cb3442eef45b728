// `npm audit`, which fails for what is known of the dependencies, and not for a registry that cannot be asked.
import { spawnSync } from 'node:child_process'

const { stdout } = spawnSync('npm', ['audit', '--json'], { encoding: 'utf8' })
const counts = read(stdout)?.metadata?.vulnerabilities
if (counts === undefined) {
  process.stderr.write('npm audit: the registry does not answer; nothing was checked\n')
} else if (counts.total > 0) {
  process.stderr.write(`npm audit: ${JSON.stringify(counts)}\n`)
  process.exitCode = 1
}

function read(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
