import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readyCommand } from '../../../src/cli/output/ready-command.ts'
import { forward } from './snapshot.ts'

test('the port of the service says what one would type, with the local address in it', () => {
  for (const [local, target, command] of [
    ['127.0.0.1:5433', 'db/prod:5432', 'psql -h 127.0.0.1 -p 5433'],
    ['[::1]:6380', 'cache/prod:6379', 'redis-cli -h ::1 -p 6380'],
    ['127.0.0.1:8000', 'web/prod:http', 'curl http://127.0.0.1:8000/'],
    ['127.0.0.1:5353', 'dns/kube-system:53/udp', 'dig @127.0.0.1 -p 5353'],
    ['127.0.0.1:1080', 'socks5', 'curl --proxy socks5h://127.0.0.1:1080 http://SERVICE.NAMESPACE/'],
    ['127.0.0.1:4711', 'odd/prod:4711', '127.0.0.1:4711'],
    ['unix:/tmp/db.sock', 'db/prod:5432', 'unix:/tmp/db.sock'],
  ] as const) {
    assert.equal(readyCommand({ ...forward(0), local, target }), command)
  }
})
