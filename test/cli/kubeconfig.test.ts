import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, test } from 'node:test'
import { kubeNamespace } from '../../src/cli/config/kubeconfig.ts'
import { lacksNamespace } from '../../src/net/target.ts'

const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-kube-'))
after(() => rmSync(folder, { recursive: true }))
const config = (current: string, namespace?: string): string => `
apiVersion: v1
kind: Config
current-context: ${current}
contexts:
  - name: prod
    context: { cluster: c, user: u${namespace === undefined ? '' : `, namespace: ${namespace}`} }
`
function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

test('the namespace is that of the current context, and default where it names none', async () => {
  assert.equal(await kubeNamespace({ KUBECONFIG: file('a', config('prod', 'payments')) }), 'payments')
  assert.equal(await kubeNamespace({ KUBECONFIG: file('b', config('prod')) }), 'default')
})

test('the first file that has a current context counts, and the one at home without KUBECONFIG', async () => {
  const list = [join(folder, 'absent'), file('none', 'kind: Config'), file('c', config('prod', 'second'))].join(
    delimiter,
  )
  assert.equal(await kubeNamespace({ KUBECONFIG: list }), 'second')
  mkdirSync(join(folder, '.kube'))
  writeFileSync(join(folder, '.kube/config'), config('prod', 'home'))
  assert.equal(await kubeNamespace({ HOME: folder }), 'home')
})

test('without a kubeconfig, or with one that cannot be read, there is none', async () => {
  assert.equal(await kubeNamespace({ HOME: '/nowhere' }), undefined)
  for (const text of [
    '{',
    '7',
    'current-context: [x]',
    'current-context: prod',
    'contexts: nonsense\ncurrent-context: a',
  ]) {
    assert.equal(await kubeNamespace({ KUBECONFIG: file('odd', text) }), undefined, text)
  }
})

test('only a target that would be one with a namespace lacks it', () => {
  for (const text of ['db:5432', 'svc/db:5432', '5433:db:5432', '127.0.0.1:0:db:5432/tcp'])
    assert.ok(lacksNamespace(text), text)
  for (const text of ['db/prod:5432', 'db.prod:5432', 'db', '', ':', 'a b:1', 'svc/db'])
    assert.ok(!lacksNamespace(text), text)
})
