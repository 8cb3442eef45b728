import assert from 'node:assert/strict'
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { keepTokens, renewIfDue } from '../../src/cli/renewal.ts'
import { grantFile } from '../../src/token/secret.ts'
import { TestIssuer } from '../support/issuer.ts'
import { makeFolder } from '../support/processes.ts'

const issuer = await TestIssuer.start({ after })
let files = 0

/** A login whose token ends in `seconds`. */
async function login(seconds: number) {
  const tokenFile = join(makeFolder(), `${++files}.token`)
  const lock = `${grantFile(tokenFile)}.lock`
  issuer.tokenSeconds = seconds
  const idToken = await issuer.idToken()
  issuer.tokenSeconds = 3600
  const offer = { issuer: issuer.url, clientId: 'tunnelctl', scopes: [] }
  await keepTokens(tokenFile, offer, { idToken, refreshToken: issuer.refreshToken() })
  return { tokenFile, lock, idToken, token: () => readFileSync(tokenFile, 'utf8').trim() }
}

test('a token that ends soon is renewed once, however many ask, and no lock stays', async () => {
  const { tokenFile, lock, idToken, token } = await login(30)
  await Promise.all(Array.from({ length: 8 }, () => renewIfDue(tokenFile, Date.now)))
  assert.notEqual(token(), idToken)
  assert.equal(issuer.reused, 0)
  assert.ok(!existsSync(lock))
})

test('whoever died with the lock stops nobody, and a lock that another holds by now is left alone', async () => {
  const { tokenFile, lock, idToken, token } = await login(30)
  writeFileSync(lock, 'who died')
  const long = (Date.now() - 60_000) / 1_000
  utimesSync(lock, long, long)
  issuer.before = () => writeFileSync(lock, 'another')
  await renewIfDue(tokenFile, Date.now)
  issuer.before = () => {}
  assert.notEqual(token(), idToken)
  assert.equal(readFileSync(lock, 'utf8'), 'another')
})

test('an issuer that does not answer is no failure while the token is good, even if it hangs', async () => {
  const { tokenFile, lock, idToken, token } = await login(30)
  let answer = () => {}
  const held = new Promise<void>(resolve => {
    answer = resolve
  })
  issuer.before = () => held
  await renewIfDue(tokenFile, Date.now)
  issuer.before = () => {}
  answer()
  assert.equal(token(), idToken)
  assert.ok(!existsSync(lock))
})

test('once the token has ended, an issuer that does not answer is named', async () => {
  const { tokenFile } = await login(-10)
  issuer.instead.set('/.well-known/openid-configuration', [503, {}])
  await assert.rejects(renewIfDue(tokenFile, Date.now), { code: 'ISSUER_UNREACHABLE' })
  issuer.instead.clear()
})
