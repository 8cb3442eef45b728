import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Certificates } from '../../src/gateway/certificates.ts'
import type { PairFiles } from '../../src/net/pem.ts'
import { dial, folder, namesOf, pair, recorder, serve, shown } from '../support/certificates.ts'
import { settled, VirtualClock } from '../support/clock.ts'
import { realTest, run } from '../support/servers.ts'
import { echoed, within } from '../support/sockets.ts'

const openssl = { programs: ['openssl'], packages: 'openssl' }

/** A folder as Kubernetes mounts a Secret: `tls.crt` leads to `..data`, which leads to the folder of the version. */
async function mount(t: TestContext) {
  const path = folder(t)
  const files: PairFiles = { cert: join(path, 'tls.crt'), key: join(path, 'tls.key') }
  const put = (version: string, { cert, key }: PairFiles) => {
    mkdirSync(join(path, version))
    copyFileSync(cert, join(path, version, 'tls.crt'))
    copyFileSync(key, join(path, version, 'tls.key'))
    symlinkSync(version, join(path, '..data_tmp'))
    renameSync(join(path, '..data_tmp'), join(path, '..data'))
  }
  put('..v1', await pair(t, ['DNS:old.example']))
  symlinkSync('..data/tls.crt', files.cert)
  symlinkSync('..data/tls.key', files.key)
  return { path, files, put }
}

async function watched(t: TestContext, files: PairFiles) {
  const { log, lines } = recorder()
  const clock = new VirtualClock()
  const certificates = await Certificates.load({ files: [files], log })
  const port = await serve(t, certificates)
  const stop = certificates.watch(clock)
  t.after(stop)
  /** Lets ten seconds pass, and waits until the files were looked at. */
  const pass = async () => {
    clock.advanceSync(10_000)
    const rearmed = async () => {
      while (clock.timers === 0) await settled()
    }
    await within(rearmed(), 'next look')
  }
  return { port, clock, lines, certificates, stop, pass }
}

realTest('new connections get the certificate that Kubernetes has swapped in, and old ones live', openssl, async t => {
  const { files, put } = await mount(t)
  const { port, pass, lines, stop, clock } = await watched(t, files)
  const before = await dial(t, port)
  await pass()
  assert.deepEqual(lines, [])
  put('..v2', await pair(t, ['DNS:new.example']))
  assert.equal(await shown(t, port), 'DNS:old.example')
  await pass()
  assert.deepEqual(lines, ['certificates reloaded'])
  for (const servername of [undefined, 'new.example', 'old.example'])
    assert.equal(await shown(t, port, servername), 'DNS:new.example')
  await echoed(before, 'still here')
  assert.equal(namesOf(before.getPeerCertificate()), 'DNS:old.example')
  await pass()
  assert.equal(lines.length, 1)
  // In the middle of a look.
  clock.advanceSync(10_000)
  stop()
  await moment(files.cert)
  assert.equal(clock.timers, 0)
})

realTest(
  'files that do not fit leave the old certificate, are said once, and do no harm when they are mended',
  openssl,
  async t => {
    const { files, path, put } = await mount(t)
    const { port, pass, lines } = await watched(t, files)
    const [good, other] = [await pair(t, ['DNS:new.example']), await pair(t, ['DNS:other.example'])]
    put('..v2', { cert: good.cert, key: other.key })
    await pass()
    await pass()
    assert.deepEqual(lines, ['certificates not reloaded'])
    assert.equal(await shown(t, port), 'DNS:old.example')
    rmSync(join(path, '..data'))
    await pass()
    assert.equal(await shown(t, port), 'DNS:old.example')
    put('..v3', good)
    await pass()
    assert.deepEqual(lines.slice(1), ['certificates not reloaded', 'certificates reloaded'])
    assert.equal(await shown(t, port), 'DNS:new.example')
  },
)

realTest('the swap of a link further up, and a file that is written in place, are seen', openssl, async t => {
  const [first, second, third] = [await pair(t, ['DNS:1.e']), await pair(t, ['DNS:2.e']), await pair(t, ['DNS:3.e'])]
  const path = folder(t)
  const current = join(path, 'current')
  const lead = (to: PairFiles) => {
    symlinkSync(join(to.cert, '..'), `${current}.new`)
    renameSync(`${current}.new`, current)
  }
  lead(first)
  const { port, pass } = await watched(t, { cert: join(current, 'cert.pem'), key: join(current, 'key.pem') })
  lead(second)
  await pass()
  assert.equal(await shown(t, port), 'DNS:2.e')
  for (const each of ['cert', 'key'] as const) writeFileSync(second[each], readFileSync(third[each]))
  await pass()
  assert.equal(await shown(t, port), 'DNS:3.e')
})

realTest('a reload by hand tells its failure', openssl, async t => {
  const { files } = await mount(t)
  const certificates = await Certificates.load({ files: [files], log: recorder().log })
  rmSync(files.key)
  const failure = await certificates.reload()
  assert.deepEqual(
    [failure?.code, failure?.message],
    ['KEY_FILE', `cannot read ${files.key}: no such file or directory`],
  )
  assert.deepEqual(certificates.names, [['old.example']])
})

const fifo = { programs: ['openssl', 'mkfifo'], packages: 'openssl coreutils' }

realTest('a slow reload does not replace what a later one has read', fifo, async t => {
  const path = folder(t)
  const first = await pair(t, ['DNS:first.example'])
  const later = { cert: join(path, 'later.pem'), key: first.key }
  const request = ['req', '-x509', '-key', first.key, '-subj', '/CN=x', '-addext', 'subjectAltName=DNS:later.example']
  await run(t, 'openssl', [...request, '-out', later.cert])
  const files = { cert: join(path, 'cert.pem'), key: first.key }
  symlinkSync(first.cert, files.cert)
  const certificates = await Certificates.load({ files: [files], log: recorder().log })

  const pipe = join(path, 'pipe')
  await run(t, 'mkfifo', [pipe])
  const lead = (to: string) => {
    symlinkSync(to, `${files.cert}.new`)
    renameSync(`${files.cert}.new`, files.cert)
  }
  lead(pipe)
  const slow = certificates.reload()
  const writer = await within(openForReader(pipe), 'reader of the pipe')
  lead(later.cert)
  const quick = certificates.reload()
  await moment(later.cert)
  await writer.write(await readFile(first.cert))
  await writer.close()
  assert.deepEqual(await Promise.all([slow, quick]), [undefined, undefined])
  assert.deepEqual(certificates.names, [['later.example']])
})

/** Time enough for what would read a few files if it were broken. */
async function moment(file: string): Promise<void> {
  for (let count = 0; count < 200; count++) await stat(file)
}

/** A pipe opens at once when somebody reads from it, and fails until then. */
async function openForReader(pipe: string) {
  for (;;) {
    try {
      return await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (thrown) {
      assert.equal((thrown as NodeJS.ErrnoException).code, 'ENXIO')
    }
  }
}
