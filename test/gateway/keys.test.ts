import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { TunnelError } from '../../src/errors.ts'
import { keysById, loadVerifyKeys } from '../../src/gateway/keys.ts'
import { writeKeyPair } from '../../src/token/keys.ts'

const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-verify-'))
after(() => rmSync(folder, { recursive: true }))

let count = 0
function file(content: unknown): string {
  const path = join(folder, `keys${count++}`)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const ed25519 = () => generateKeyPairSync('ed25519')
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as JWK
const pemOf = (key: KeyObject) => String(key.export({ format: 'pem', type: key.type === 'public' ? 'spki' : 'pkcs8' }))

test('what keygen wrote is loaded under its id', async () => {
  const path = join(folder, 'pair')
  const { kid, publicFile } = await writeKeyPair(path)
  assert.deepEqual([...keysById(await loadVerifyKeys([publicFile])).keys()], [kid])
})

test('a JWKS, a single JWK and PEM files are taken together, with the thumbprint where an id is missing', async () => {
  const [a, b, c, d, e] = [ed25519(), ed25519(), ed25519(), ed25519(), ed25519()].map(pair => pair.publicKey)
  assert.ok(a && b && c && d && e)
  const sets = await loadVerifyKeys([
    file({ keys: [{ ...jwkOf(a), kid: 'old', use: 'sig', alg: 'EdDSA' }, jwkOf(b)] }),
    file({ ...jwkOf(c), kid: '__proto__' }),
    file(`comment\n${pemOf(d)}${pemOf(e)}`),
  ])
  const keys = keysById(sets)
  assert.equal(keys.size, 5)
  assert.ok(keys.get('old')?.key.equals(a) && keys.get('__proto__')?.key.equals(c))
  for (const key of [b, d, e]) assert.ok(keys.get(await calculateJwkThumbprint(jwkOf(key)))?.key.equals(key))
})

test('the same key in two files is one key, another key under its id is refused', async () => {
  const [one, two] = [jwkOf(ed25519().publicKey), jwkOf(ed25519().publicKey)]
  const same = await loadVerifyKeys([file({ ...one, kid: 'k' }), file({ ...one, kid: 'k' })])
  assert.equal(keysById(same).size, 1)
  const clash = await loadVerifyKeys([file({ ...one, kid: 'k' }), file({ ...two, kid: 'k' })])
  assert.throws(() => keysById(clash), { code: 'KEY_FILE', message: /same id "k"/ })
})

test('a private key is refused with the file to give instead, and never shown', async () => {
  const { privateKey } = ed25519()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  for (const content of [
    jwkOf(privateKey),
    { keys: [jwkOf(ed25519().publicKey), jwkOf(privateKey)] },
    { kty: 'oct', k: 'U0VDUkVU' },
    jwkOf(rsa.privateKey),
    pemOf(privateKey),
    pemOf(privateKey) + pemOf(ed25519().publicKey),
    String(rsa.privateKey.export({ format: 'pem', type: 'pkcs1' })),
  ]) {
    const path = file(content)
    await assert.rejects(loadVerifyKeys([path]), (thrown: unknown) => {
      assert.ok(thrown instanceof TunnelError && thrown.code === 'KEY_FILE')
      assert.equal(thrown.message, `${path} holds a private key; give ${path}.pub`)
      return true
    })
  }
})

test('nothing that cannot verify is skipped in silence', async () => {
  const good = jwkOf(ed25519().publicKey)
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey
  const ed448 = generateKeyPairSync('ed448').publicKey
  const table: [unknown, RegExp][] = [
    ['', /holds no key/],
    ['hello', /holds no key/],
    ['null', /holds no key/],
    [{ keys: [] }, /holds no key/],
    [{ keys: ['x'] }, /holds no key/],
    [[good], /holds no key/],
    [{}, /something else than public keys/],
    [{ keys: [good, jwkOf(rsa)] }, /something else than public keys/],
    [pemOf(rsa), /something else than public keys/],
    [jwkOf(p384), /something else than public keys/],
    [{ ...good, alg: 'ES256' }, /something else than public keys/],
    [jwkOf(ed448), /something else than public keys/],
    [pemOf(ed448), /something else than public keys/],
    [{ ...good, x: 'AAAA' }, /something else than public keys/],
    [{ ...good, use: 'enc' }, /something else than public keys/],
    [{ ...good, kid: 7 }, /kid is not a text/],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', /something else than public keys/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', /holds no key/],
    ['x'.repeat(300_000), /over 256 KiB/],
  ]
  for (const [content, why] of table) {
    const path = file(content)
    await assert.rejects(
      loadVerifyKeys([path]),
      (thrown: unknown) => {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'KEY_FILE', String(thrown))
        assert.match(thrown.message, why)
        return thrown.message.startsWith(path)
      },
      JSON.stringify(content).slice(0, 80),
    )
  }
  await assert.rejects(loadVerifyKeys([file(good), join(folder, 'none')]), {
    code: 'KEY_FILE',
    message: /no such file/,
  })
})

test('P-256 and RSA keys are taken too, each for its own algorithm alone', async () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
  const keys = keysById(await loadVerifyKeys([file({ ...jwkOf(ec), kid: 'ec' }), file(pemOf(rsa)), file(jwkOf(ec))]))
  assert.deepEqual(keys.get('ec')?.algorithms, ['ES256'])
  assert.deepEqual(
    [...keys.values()].map(({ algorithms }) => algorithms),
    [['ES256'], ['RS256'], ['ES256']],
  )
})

test('no key at all is a refusal to start', async () => {
  await assert.rejects(loadVerifyKeys([]), { code: 'KEY_FILE', hint: /--verify-key/ })
  assert.throws(() => keysById([]), { code: 'KEY_FILE' })
  assert.throws(() => keysById([{ keys: [] }]), { code: 'KEY_FILE' })
  assert.throws(() => keysById([{ keys: [jwkOf(ed25519().publicKey)] }]), { code: 'KEY_FILE', message: /no id/ })
})
