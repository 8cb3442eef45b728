// Makes deploy/ anew, charts and bases of kustomize, from what `tunnelctl manifests` is made of: npm run manifests
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { deployFiles } from '../src/cli/chart/deploy.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const folder = new URL('../deploy/', import.meta.url)
rmSync(folder, { recursive: true, force: true })
for (const [path, text] of Object.entries(deployFiles(version))) {
  const file = new URL(path, folder)
  mkdirSync(new URL('.', file), { recursive: true })
  writeFileSync(file, text)
}
