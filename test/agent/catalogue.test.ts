import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Catalogue, parseCatalogueEntry } from '../../src/agent/catalogue.ts'
import { TunnelError } from '../../src/errors.ts'
import { formatTarget, parseTarget } from '../../src/net/target.ts'

const accepted: [text: string, target: string, host: string, port: number][] = [
  ['db/prod:5432=127.0.0.1:15432', 'db/prod:5432', '127.0.0.1', 15_432],
  ['db/prod:5432=db.internal:5432', 'db/prod:5432', 'db.internal', 5_432],
  ['db/prod:5432=db.internal.:5432', 'db/prod:5432', 'db.internal.', 5_432],
  ['db/prod:5432=my_service:1', 'db/prod:5432', 'my_service', 1],
  ['db/prod:5432=[::1]:65535', 'db/prod:5432', '::1', 65_535],
  ['web/prod:http=localhost:80', 'web/prod:http', 'localhost', 80],
  ['dns/kube-system:53/udp=10.0.0.10:53', 'dns/kube-system:53/udp', '10.0.0.10', 53],
  ['db/prod:5432/tcp=10.0.0.10:53', 'db/prod:5432', '10.0.0.10', 53],
]
for (const [text, target, host, port] of accepted) {
  test(`the entry ${text} is understood`, () => {
    assert.deepEqual(parseCatalogueEntry(text), { target: parseTarget(target), host, port })
  })
}

const refused: [text: string, why: RegExp][] = [
  ['', /is not NAME\/NS:PORT=HOST:PORT/],
  ['db/prod:5432', /is not NAME\/NS:PORT=HOST:PORT/],
  ['db/prod:5432=', /is not NAME\/NS:PORT=HOST:PORT/],
  ['db/prod:5432=localhost', /is not NAME\/NS:PORT=HOST:PORT/],
  ['db/prod:5432=::1:80', /is not NAME\/NS:PORT=HOST:PORT/],
  ['db/prod:5432=localhost:http', /is not NAME\/NS:PORT=HOST:PORT/],
  ['db/prod:5432=a=b:80', /"a=b" is not a host name/],
  ['db/prod:5432=:80', /"" is not a host name/],
  ['db/prod:5432=a b:80', /"a b" is not a host name/],
  ['db/prod:5432=-a:80', /"-a" is not a host name/],
  ['db/prod:5432=10.0.0.300:80', /"10.0.0.300" is not a host name/],
  ['db/prod:5432=10.0.1:80', /"10.0.1" is not a host name/],
  ['db/prod:5432=[localhost]:80', /"localhost" is not a host name/],
  ['db/prod:5432=[10.0.0.1]:80', /"10.0.0.1" is not a host name/],
  ['db/prod:5432=localhost:0', /0 is not a port/],
  ['db/prod:5432=localhost:65536', /65536 is not a port/],
  ['db:5432=localhost:80', /no namespace|names no service and namespace/],
  ['DB/prod:5432=localhost:80', /"DB" is not a service name/],
  ['db/prod=localhost:80', /it has no port/],
]
for (const [text, why] of refused) {
  test(`the entry ${JSON.stringify(text)} is a usage error in one line with an example`, () => {
    assert.throws(
      () => parseCatalogueEntry(text),
      (error: unknown) => {
        assert.ok(error instanceof TunnelError)
        assert.equal(error.code, 'USAGE')
        assert.match(error.message, why)
        assert.doesNotMatch(error.message, /\n/)
        assert.match(error.hint, /for example db\/prod:5432=127\.0\.0\.1:5432/)
        return true
      },
    )
  })
}

test('any text is an entry or a usage error in one line', () => {
  const pieces = fc.constantFrom(
    'db',
    '/',
    'prod',
    ':',
    '=',
    '[',
    ']',
    '::1',
    '5432',
    'http',
    '/udp',
    '.',
    '\n',
    '\u001b',
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 14 }).map(parts => parts.join('')),
  )
  fc.assert(
    fc.property(text, written => {
      try {
        const { target, port } = parseCatalogueEntry(written)
        assert.deepEqual(parseTarget(formatTarget(target)), target)
        assert.ok(port >= 1 && port <= 65_535)
      } catch (error) {
        assert.ok(error instanceof TunnelError)
        assert.equal(error.code, 'USAGE')
        assert.ok(!error.message.includes('\n') && !error.message.includes('\u001b'))
      }
    }),
  )
})

test('the catalogue finds a target exactly as it is listed', () => {
  const catalogue = new Catalogue(
    ['db/prod:5432=127.0.0.1:1', 'db/prod:5432/udp=127.0.0.1:2', 'db/prod:postgres=h:3'].map(parseCatalogueEntry),
  )
  const at = (text: string) => catalogue.find(parseTarget(text))?.port
  assert.equal(at('db/prod:5432'), 1)
  assert.equal(at('db/prod:5432/udp'), 2)
  assert.equal(at('db.prod.svc.cluster.local:postgres'), 3)
  assert.equal(at('db/prod:5433'), undefined)
  assert.equal(at('db/dev:5432'), undefined)
  assert.deepEqual(catalogue.targets().map(formatTarget), ['db/prod:5432', 'db/prod:5432/udp', 'db/prod:postgres'])
})

test('a target listed twice is a usage error that names it', () => {
  const entries = ['db/prod:5432=a:1', 'db.prod:5432=b:2'].map(parseCatalogueEntry)
  assert.throws(() => new Catalogue(entries), { code: 'USAGE', message: /db\/prod:5432 is listed twice/ })
})
