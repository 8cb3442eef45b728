import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { calculateJwkThumbprint } from 'jose'
import { TunnelError } from '../../src/errors.ts'
import { generateKeyPair, readPrivateKey, writeKeyPair } from '../../src/token/keys.ts'

const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-keys-'))
after(() => rmSync(folder, { recursive: true }))

let count = 0
const newName = () => join(folder, `key${count++}`)

function file(content: string): string {
  const path = newName()
  writeFileSync(path, content, { mode: 0o600 })
  return path
}

test('a generated pair signs and verifies, and its id is the RFC 7638 thumbprint', async () => {
  const { privateJwk, publicJwks } = await generateKeyPair()
  const [publicJwk, ...others] = publicJwks.keys
  assert.ok(publicJwk)
  assert.deepEqual(others, [])
  assert.deepEqual(Object.keys(publicJwk).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  assert.equal(publicJwk.alg, 'EdDSA')
  assert.equal(publicJwk.kid, await calculateJwkThumbprint(publicJwk))
  const { kty, crv, x, d } = privateJwk
  const signature = sign(null, Buffer.from('m'), createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' }))
  const verifier = createPublicKey({ key: { kty, crv, x: publicJwk.x ?? '' }, format: 'jwk' })
  assert.ok(verify(null, Buffer.from('m'), verifier, signature))
})

test('a written pair has the right modes, reads back, and its public half holds no secret', async () => {
  const path = newName()
  const { kid, publicFile } = await writeKeyPair(path)
  assert.equal(publicFile, `${path}.pub`)
  if (process.platform !== 'win32') {
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(statSync(publicFile).mode & 0o777 & ~0o644, 0)
  }
  const privateJwk = await readPrivateKey(path, () => assert.fail('no warning is due'))
  assert.equal(privateJwk.kid, kid)
  const publicText = readFileSync(publicFile, 'utf8')
  assert.ok(!publicText.includes(privateJwk.d) && publicText.includes(kid))
})

test('no existing file is ever touched, and no half of a pair is left behind', async () => {
  const path = file('precious')
  await assert.rejects(writeKeyPair(path), { code: 'KEY_FILE', message: /the file exists/ })
  assert.equal(readFileSync(path, 'utf8'), 'precious')
  assert.ok(!existsSync(`${path}.pub`))

  const other = newName()
  writeFileSync(`${other}.pub`, 'precious')
  await assert.rejects(writeKeyPair(other), { code: 'KEY_FILE', message: /\.pub: the file exists/ })
  assert.equal(readFileSync(`${other}.pub`, 'utf8'), 'precious')
  assert.ok(!existsSync(other))
})

test('a link is not followed to where it points', { skip: process.platform === 'win32' }, async () => {
  const link = newName()
  const elsewhere = newName()
  symlinkSync(elsewhere, link)
  await assert.rejects(writeKeyPair(link), { code: 'KEY_FILE' })
  assert.ok(!existsSync(elsewhere))
})

test('a folder that is not there is said in one line', async () => {
  await assert.rejects(writeKeyPair(join(folder, 'none', 'key')), { code: 'KEY_FILE', message: /no such file or dir/ })
})

test('what is no Ed25519 private key is refused with what it is instead', async () => {
  const { privateJwk, publicJwks } = await generateKeyPair()
  const other = await generateKeyPair()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const ed448 = generateKeyPairSync('ed448').privateKey.export({ format: 'jwk' })
  const x25519 = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  const table: [string, RegExp][] = [
    ['', /no JSON object/],
    ['{"kty":', /no JSON object/],
    ['7', /no JSON object/],
    ['null', /no JSON object/],
    ['[]', /no Ed25519 private key/],
    ['{}', /no Ed25519 private key/],
    [String(rsa.export({ type: 'pkcs8', format: 'pem' })), /no JSON object/],
    [JSON.stringify(rsa.export({ format: 'jwk' })), /no Ed25519 private key/],
    [JSON.stringify(ed448), /no Ed25519 private key/],
    [JSON.stringify(x25519), /no Ed25519 private key/],
    [JSON.stringify({ kty: 'oct', k: 'AAAA' }), /no Ed25519 private key/],
    [JSON.stringify(publicJwks), /public half/],
    [JSON.stringify(publicJwks.keys[0]), /public half/],
    [JSON.stringify({ ...privateJwk, d: 7 }), /no Ed25519 private key/],
    [JSON.stringify({ ...privateJwk, d: privateJwk.d.slice(0, 20) }), /damaged/],
    [JSON.stringify({ ...privateJwk, d: '' }), /damaged/],
    [JSON.stringify({ ...privateJwk, d: other.privateJwk.d }), /do not belong together/],
    [JSON.stringify({ ...privateJwk, x: 'AAAA' }), /damaged/],
  ]
  for (const [content, why] of table) {
    await assert.rejects(
      readPrivateKey(file(content)),
      (thrown: unknown) => thrown instanceof TunnelError && thrown.code === 'KEY_FILE' && why.test(thrown.message),
      content.slice(0, 60),
    )
  }
  await assert.rejects(readPrivateKey(newName()), { code: 'KEY_FILE', message: /no such file/ })
  await assert.rejects(readPrivateKey(file('x'.repeat(70_000))), { code: 'KEY_FILE', message: /over 64 KiB/ })
})

test('the public half is answered with the name of the private one', async () => {
  const path = newName()
  await writeKeyPair(path)
  await assert.rejects(readPrivateKey(`${path}.pub`), { hint: `give ${path}` })
})

test('a private key that others can read is used with a warning', { skip: process.platform === 'win32' }, async () => {
  const path = newName()
  await writeKeyPair(path)
  chmodSync(path, 0o644)
  const warnings: string[] = []
  await readPrivateKey(path, message => warnings.push(message))
  assert.equal(warnings.length, 1)
  assert.match(warnings[0] ?? '', /mode 0644/)
})

test('no failure shows any part of a damaged key', async () => {
  const { privateJwk } = await generateKeyPair()
  const whole = JSON.stringify(privateJwk)
  const damage = fc.tuple(
    fc.nat({ max: whole.length }),
    fc.nat({ max: 30 }),
    fc.string({ unit: 'binary', maxLength: 4 }),
  )
  await fc.assert(
    fc.asyncProperty(damage, async ([at, cut, put]) => {
      const content = whole.slice(0, at) + put + whole.slice(at + cut)
      try {
        await readPrivateKey(file(content))
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'KEY_FILE', String(thrown))
        const shown = `${thrown.message} ${thrown.hint} ${thrown.stack} ${String(thrown.cause)}`
        for (let i = 0; i + 8 <= privateJwk.d.length; i++) assert.ok(!shown.includes(privateJwk.d.slice(i, i + 8)))
      }
    }),
    { numRuns: 100 },
  )
})
