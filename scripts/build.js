// Bundles src/ into dist/ and lists the licences of what was bundled.
// Code-split, so that `--version` and completion load the entry alone.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { build } from 'esbuild'

const root = new URL('../', import.meta.url)
const { version } = JSON.parse(await readFile(new URL('package.json', root), 'utf8'))

await rm(new URL('dist', root), { recursive: true, force: true })
const { metafile } = await build({
  absWorkingDir: new URL('.', root).pathname,
  entryPoints: { main: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.17',
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  define: { TUNNELCTL_VERSION: JSON.stringify(version) },
  // ws tries these native add-ons and does without them.
  external: ['bufferutil', 'utf-8-validate'],
  // CommonJS dependencies inside an ES module still call require() for Node's own modules.
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
})

const packages = new Set()
for (const input of Object.keys(metafile.inputs)) {
  const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input) ?? []
  if (name) packages.add(name)
}
const sections = []
for (const name of [...packages].sort()) {
  const folder = new URL(`node_modules/${name}/`, root)
  const { version, license } = JSON.parse(await readFile(new URL('package.json', folder), 'utf8'))
  sections.push(`${name} ${version} (${license})\n\n${await licenceText(folder)}`)
}
await writeFile(new URL('THIRD_PARTY_LICENSES', root), `${sections.join(`\n${'-'.repeat(80)}\n\n`)}`)
await writeFile(new URL('dist/meta.json', root), JSON.stringify(metafile.outputs))

async function licenceText(folder) {
  for (const name of ['LICENSE', 'license', 'LICENSE.md', 'license.md', 'LICENCE', 'LICENSE.txt', 'License']) {
    try {
      return await readFile(new URL(name, folder), 'utf8')
    } catch {}
  }
  return 'The package carries no licence file; its package.json names the licence above.\n'
}
