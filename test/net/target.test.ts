import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TunnelError } from '../../src/errors.ts'
import {
  formatTarget,
  lacksNamespace,
  parseForward,
  parseTarget,
  type Target,
  targetFromJson,
} from '../../src/net/target.ts'

const tcp = (service: string, namespace: string, port: number | string): Target => ({
  service,
  namespace,
  port,
  protocol: 'tcp',
})
const db = tcp('db', 'prod', 5432)

function refusal(action: () => unknown, what: string): TunnelError {
  try {
    action()
  } catch (thrown) {
    assert.ok(thrown instanceof TunnelError, `${what}: ${String(thrown)}`)
    assert.equal(thrown.code, 'BAD_TARGET', what)
    return thrown
  }
  return assert.fail(`accepted: ${what}`)
}

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
const portName = fc
  .stringMatching(/^[a-z0-9]{1,7}(-[a-z0-9]{1,6})?$/)
  .filter(name => /[a-z]/.test(name) && name.length <= 15)
const target = fc.record(
  {
    service: label,
    namespace: label,
    port: fc.oneof(fc.integer({ min: 1, max: 65_535 }), portName),
    protocol: fc.constantFrom<Target['protocol']>('tcp', 'udp'),
  },
  { noNullPrototype: true },
)

/** Strings that are almost targets, so that the parser's branches are reached. */
const nearTarget = fc
  .array(
    fc.constantFrom('db', 'prod', 'svc', '/', ':', '.', '80', '5432', 'tcp', 'udp', '[', ']', '::1', '-', '*', 'é'),
  )
  .map(parts => parts.join(''))
const anyText = fc.oneof(fc.string({ unit: 'binary' }), nearTarget)

test('every form a user may type means the same target', () => {
  for (const text of [
    'db/prod:5432',
    'db/prod:5432/tcp',
    'db.prod:5432',
    'db.prod.svc:5432',
    'db.prod.svc.cluster.local:5432',
    'db.prod.svc.cluster.local.:5432',
  ]) {
    assert.deepEqual(parseTarget(text), db, text)
  }
})

test('with a namespace given, kubectl users need not repeat it, and a written one goes first', () => {
  assert.deepEqual(parseTarget('db:5432', 'prod'), db)
  assert.deepEqual(parseTarget('svc/db:5432', 'prod'), db)
  assert.deepEqual(parseTarget('db/prod:5432', 'dev'), db)
  assert.deepEqual(parseTarget('db.prod:5432', 'dev'), db)
  assert.deepEqual(parseTarget('svc/db.prod:5432', 'dev'), db)
})

test('a port may have a name, and udp goes behind it', () => {
  assert.deepEqual(parseTarget('web/prod:http'), tcp('web', 'prod', 'http'))
  assert.deepEqual(parseTarget('dns/kube-system:53/udp'), { ...tcp('dns', 'kube-system', 53), protocol: 'udp' })
  assert.deepEqual(parseTarget('web/prod:p8080'), tcp('web', 'prod', 'p8080'))
})

test('C69, E105: a malformed target is refused with what is wrong about it', () => {
  const table: [string, RegExp][] = [
    ['', /no port/],
    ['db/prod', /no port/],
    ['db/prod:', /no port/],
    [':5432', /names no service/],
    ['db:5432', /no namespace/],
    ['svc/db:', /no port/],
    ['/prod:80', /not a service name/],
    ['db/:80', /names no service/],
    ['Db/prod:80', /"Db" is not a service name/],
    ['-db/prod:80', /not a service name/],
    ['db-/prod:80', /not a service name/],
    ['db/pr_od:80', /not a namespace/],
    [`${'a'.repeat(64)}/prod:80`, /not a service name/],
    ['db/prod:0', /not a port/],
    ['db/prod:65536', /not a port/],
    ['db/prod:-1', /not a port/],
    ['db/prod:80/sctp', /only \/tcp or \/udp/],
    ['8080:db/prod', /no port/],
    ['db/prod:80/udp/tcp', /port/],
    ['db/prod:5000-5999', /not a port/],
    ['db/prod:http-', /not a port/],
    ['db/prod:a--b', /not a port/],
    ['db/prod: 80', /not a port/],
    ['db/prod:80\n', /port/],
    ['db/prod/x:80', /names no service/],
    ['db.prod.pod:80', /names no service/],
    ['db.prod.svc.:80', /names no service/],
    ['db.prod.svc.cluster..local:80', /names no service/],
    ['db.prod.svc.\u202elacol:80', /names no service/],
    ['db.prod.:80', /names no service/],
    ['user@db/prod:80', /not a service name/],
    ['db/prod\0:80', /not a namespace/],
    ['bücher/prod:80', /not a service name/],
    ['ｄｂ/prod:80', /not a service name/],
    ['*/prod:80', /not a service name/],
    ['http://db/prod:80', /names no service/],
  ]
  for (const [text, why] of table) {
    assert.match(refusal(() => parseTarget(text), JSON.stringify(text)).message, why, JSON.stringify(text))
  }
  assert.deepEqual(parseTarget('db/prod:1e3').port, '1e3', 'a port name that only looks like a number stays a name')
})

test('the hint for a missing namespace shows the target to write, and only for a real name', () => {
  assert.match(refusal(() => parseTarget('db:5432'), 'db').hint, /db\/NAMESPACE:port/)
  const odd = refusal(() => parseTarget('d\x1b[2Jb\n:5432'), 'escape')
  assert.ok(!odd.hint.includes('\x1b') && !odd.message.includes('\x1b') && !odd.message.includes('\n'))
})

test('a formatted target parses to itself', () => {
  fc.assert(fc.property(target, value => assert.deepEqual(parseTarget(formatTarget(value)), value)))
})

test('a target survives JSON, and unknown fields are not taken along', () => {
  fc.assert(
    fc.property(target, value => {
      const json: unknown = JSON.parse(JSON.stringify({ ...value, kind: 'tcp', constructor: 1 }))
      assert.deepEqual(targetFromJson(json), value)
    }),
  )
  const polluting: unknown = JSON.parse('{"__proto__":{"service":"db","namespace":"prod"},"port":1,"protocol":"tcp"}')
  refusal(() => targetFromJson(polluting), '__proto__')
})

test('any text is a target or BAD_TARGET with one bounded line', () => {
  fc.assert(
    fc.property(anyText, fc.option(label, { nil: undefined }), (text, namespace) => {
      try {
        const value = parseTarget(text, namespace)
        assert.deepEqual(parseTarget(formatTarget(value)), value)
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'BAD_TARGET', String(thrown))
        assert.ok(![...thrown.message, ...thrown.hint].some(unit => unit < ' '), 'no control characters')
        assert.ok(thrown.message.length < 1200)
      }
    }),
    { numRuns: 2000 },
  )
})

test('a long hostile text is refused quickly and shown shortened', () => {
  for (const text of [':'.repeat(100_000), 'a.'.repeat(50_000), '/'.repeat(100_000), '1:'.repeat(50_000)]) {
    assert.ok(refusal(() => parseForward(text), 'long').message.length < 1200)
  }
  assert.ok(refusal(() => parseForward(`${'9'.repeat(10_000)}:db/prod:1`), 'digits').message.length < 300)
})

test('C69: any JSON value is a target or BAD_TARGET', () => {
  const odd = fc.record(
    {
      service: fc.oneof(label, fc.jsonValue()),
      namespace: fc.oneof(label, fc.jsonValue()),
      port: fc.oneof(fc.integer(), fc.double(), fc.jsonValue()),
      protocol: fc.oneof(fc.constantFrom('tcp', 'udp'), fc.jsonValue()),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), odd), value => {
      try {
        const found = targetFromJson(value)
        assert.deepEqual(parseTarget(formatTarget(found)), found)
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'BAD_TARGET', String(thrown))
      }
    }),
  )
})

test('C69: a number of JSON that is no port is refused, also when it is written as text', () => {
  for (const port of [0, -1, 65_536, 1.5, '80', '', 'HTTP', null, [80], { valueOf: 80 }]) {
    refusal(() => targetFromJson({ service: 'db', namespace: 'prod', port, protocol: 'tcp' }), JSON.stringify(port))
  }
})

test('a forward names the local side in front, or leaves it out', () => {
  assert.deepEqual(parseForward('db/prod:5432'), { target: db })
  assert.deepEqual(parseForward('15432:db/prod:5432'), { target: db, port: 15_432 })
  assert.deepEqual(parseForward('0:db/prod:5432'), { target: db, port: 0 })
  assert.deepEqual(parseForward('15432:db:5432', 'prod'), { target: db, port: 15_432 })
  assert.deepEqual(parseForward('localhost:15432:db/prod:5432'), { target: db, port: 15_432, address: 'localhost' })
  assert.deepEqual(parseForward('0.0.0.0:15432:db/prod:5432'), { target: db, port: 15_432, address: '0.0.0.0' })
  assert.deepEqual(parseForward('[::1]:15432:db/prod:5432'), { target: db, port: 15_432, address: '::1' })
  assert.deepEqual(parseForward('5353:dns/prod:53/udp'), {
    target: { ...tcp('dns', 'prod', 53), protocol: 'udp' },
    port: 5353,
  })
})

test('a local side that nothing can listen on is refused', () => {
  for (const text of [
    '65536:db/prod:5432',
    '80:80:db/prod:5432',
    'a b:80:db/prod:5432',
    '[:::]:80:db/prod:5432',
    '[.]:80:db/prod:5432',
    '::1:80:db/prod:5432',
    ':80:db/prod:5432',
    '-1:db/prod:5432',
    '80:db/prod',
  ]) {
    refusal(() => parseForward(text), text)
  }
})

test('any text is a forward or BAD_TARGET', () => {
  fc.assert(
    fc.property(anyText, text => {
      try {
        const { port = 0, address = 'x' } = parseForward(text)
        assert.ok(port >= 0 && port <= 65_535 && address !== '')
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError && thrown.code === 'BAD_TARGET', String(thrown))
      }
    }),
    { numRuns: 1000 },
  )
})

test('a pod and a deployment are targets with their kind before the name, as kubectl has it', () => {
  const pod = { service: 'pod/web-0', namespace: 'prod', port: 80, protocol: 'tcp' } as const
  assert.deepEqual(parseTarget('pod/web-0/prod:80'), pod)
  assert.equal(formatTarget(pod), 'pod/web-0/prod:80')
  assert.deepEqual(targetFromJson(pod), pod)
  assert.deepEqual(parseTarget('pod/web-0:80', 'prod'), pod)
  assert.deepEqual(parseTarget('pod/web-0/dev:80', 'prod'), { ...pod, namespace: 'dev' })
  assert.deepEqual(parseTarget('deploy/web:http/udp', 'prod'), {
    ...pod,
    ...{ service: 'deploy/web', port: 'http', protocol: 'udp' },
  })
  assert.deepEqual(parseTarget('svc/web/prod:80', 'dev'), { ...pod, service: 'web' })
  // Nothing says a namespace: then the two names are a service and its namespace, whatever they are.
  assert.deepEqual(parseTarget('pod/web:80'), { ...pod, service: 'pod', namespace: 'web' })
  assert.ok(lacksNamespace('8080:deploy/web:80') && !lacksNamespace('deploy/web/prod:80'))
  const bad = ['pod//prod:80', 'pod/a.b/prod:80', 'job/a/prod:80', 'pod/pod/a/prod:80', 'pod/a/b/:80', 'deploy/a/-:80']
  for (const text of bad) assert.throws(() => parseTarget(text, 'dev'), { code: 'BAD_TARGET' }, text)
  assert.throws(() => targetFromJson({ ...pod, service: 'pod/' }), { code: 'BAD_TARGET' })
})

test('a pod of a headless service is a target by its host name, and nothing longer is', () => {
  const pod = { service: 'pg-0.pg', namespace: 'db', port: 5432, protocol: 'tcp' } as const
  assert.deepEqual(parseTarget('pg-0.pg/db:5432'), pod)
  assert.equal(formatTarget(pod), 'pg-0.pg/db:5432')
  assert.deepEqual(targetFromJson(pod), pod)
  // Without a slash the second label is the namespace, as ever.
  assert.deepEqual(parseTarget('pg-0.pg:5432'), { ...pod, service: 'pg-0', namespace: 'pg' })
  for (const text of ['a.b.c/db:1', '.pg/db:1', 'pg-0./db:1', 'pg-0..pg/db:1', 'pg-0.pg/d.b:1']) {
    assert.throws(() => parseTarget(text), { code: 'BAD_TARGET' }, text)
  }
})
