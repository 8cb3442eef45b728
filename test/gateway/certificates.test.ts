import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { Certificates } from '../../src/gateway/certificates.ts'
import type { PairFiles } from '../../src/net/pem.ts'
import { folder, pair, recorder, serve, shown } from '../support/certificates.ts'
import { realTest, run } from '../support/servers.ts'
import { within } from '../support/sockets.ts'

const openssl = { programs: ['openssl'], packages: 'openssl' }

realTest('each host gets its certificate, and who names none of them the first', openssl, async t => {
  const files = [
    await pair(t, ['DNS:one.example', 'DNS:both.example', 'IP:192.0.2.1']),
    await pair(t, ['DNS:Two.Example', 'DNS:both.example']),
    await pair(t, ['DNS:*.wild.example', 'DNS:wild.example']),
    await pair(t, ['DNS:exact.wild.example']),
  ] as const
  const certificates = await Certificates.load({ files, log: recorder().log })
  assert.deepEqual(certificates.names, [
    ['one.example', 'both.example'],
    ['two.example', 'both.example'],
    ['*.wild.example', 'wild.example'],
    ['exact.wild.example'],
  ])
  const port = await serve(t, certificates)
  const [one, two, wild, exact] = [/DNS:one\.example/, /DNS:Two\.Example/, /DNS:\*\.wild/, /^DNS:exact\./]
  const cases: [servername: string | undefined, names: RegExp][] = [
    [undefined, one],
    ['one.example', one],
    ['both.example', one],
    ['other.example', one],
    ['two.example', two],
    ['TWO.example', two],
    ['a.two.example', one],
    ['wild.example', wild],
    ['a.wild.example', wild],
    ['exact.wild.example', exact],
    ['a.b.wild.example', one],
    ['a.exact.wild.example', one],
  ]
  for (const [servername, names] of cases) assert.match(await shown(t, port, servername), names, servername)
})

realTest('an entry with a comma in it does not smuggle in another', openssl, async t => {
  const path = folder(t)
  const config = join(path, 'openssl.cnf')
  const sections = ['[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\nsubjectAltName=@names\n[names]']
  writeFileSync(config, [...sections, 'URI.0=http://a/?\\, DNS:evil.example\\, x', 'DNS.0=good.example\n'].join('\n'))
  const files = { cert: join(path, 'cert.pem'), key: join(path, 'key.pem') }
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    '/CN=x',
  ]
  await run(t, 'openssl', [...request, '-config', config, '-keyout', files.key, '-out', files.cert])
  const certificates = await Certificates.load({ files: [files], log: recorder().log })
  assert.deepEqual(certificates.names, [['good.example']])
})

realTest('TLS 1.1 is refused, before and after a reload', openssl, async t => {
  const certificates = await Certificates.load({ files: [await pair(t, ['DNS:a.example'])], log: recorder().log })
  const port = await serve(t, certificates)
  assert.equal(certificates.serverOptions.minVersion, 'TLSv1.2')
  assert.equal(await certificates.reload(), undefined)
  for (const servername of [undefined, 'a.example']) {
    const old = connect({
      socket: connectTcp(port, '127.0.0.1'),
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
      ...(servername && { servername }),
    })
    const [error] = (await within(once(old, 'error'), 'refusal')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  }
})

realTest('what is wrong with a pair is said in one line, with the file and without its content', openssl, async t => {
  const good = await pair(t, ['DNS:a.example'])
  const other = await pair(t, ['DNS:b.example'])
  const path = folder(t)
  const [missing, text, big, locked] = ['missing', 'text', 'big', 'locked'].map(name => join(path, name))
  assert.ok(missing && text && big && locked)
  writeFileSync(text, 'secret words\n')
  writeFileSync(big, Buffer.alloc(300_000, 'x'))
  await run(t, 'openssl', ['pkcs8', '-topk8', '-in', good.key, '-out', locked, '-passout', 'pass:secret'])
  const nameless = await pair(t, [])
  const cases: [message: string, ...files: PairFiles[]][] = [
    [`cannot read ${missing}: no such file or directory`, { ...good, cert: missing }],
    [`cannot read ${missing}: no such file or directory`, { ...good, key: missing }],
    [`cannot read ${path}: it is a directory`, { ...good, cert: path }],
    [`${big} is over 256 KiB`, { ...good, cert: big }],
    [`${text} does not begin with a certificate in PEM`, { ...good, cert: text }],
    [`${good.key} does not begin with a certificate in PEM`, { ...good, cert: good.key }],
    [`${text} holds no private key in PEM`, { ...good, key: text }],
    [`${good.cert} holds no private key in PEM`, { ...good, key: good.cert }],
    [`${locked} is locked with a passphrase`, { ...good, key: locked }],
    [`${good.cert} and ${other.key} do not fit: the key is another certificate's`, { ...good, key: other.key }],
    [`${text} does not begin with a certificate in PEM`, good, { ...other, cert: text }],
    [`${nameless.cert} has no DNS name in subjectAltName: nobody would get it`, good, nameless],
  ]
  for (const [message, first, ...more] of cases) {
    assert.ok(first)
    const loading = Certificates.load({ files: [first, ...more], log: recorder().log })
    await assert.rejects(loading, { code: 'KEY_FILE', message })
  }
  await Certificates.load({ files: [nameless, good], log: recorder().log })
})
