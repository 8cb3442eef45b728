import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Keystream } from '../../src/cli/demo/keystream.ts'
import { page, storyFromJson } from '../../src/cli/demo/page.ts'
import { tell } from '../../src/cli/demo/story.ts'
import { type Process, tunnelctl } from '../support/processes.ts'

test('a byte of the bulk data that is lost, doubled or changed is noticed, at any place', () => {
  const bytes = Buffer.concat([new Keystream(7), new Keystream(8)].flatMap(stream => [stream.next(), stream.next()]))
  const sent = bytes.subarray(0, bytes.length / 2)
  const intact = (...parts: Buffer[]) => {
    const expected = new Keystream(7)
    return parts.every(part => expected.matches(part))
  }
  assert.ok(intact(sent))
  assert.ok(intact(sent.subarray(0, 1), sent.subarray(1, 70_000), sent.subarray(70_000)))
  assert.ok(!intact(bytes.subarray(sent.length)), 'another stream')
  for (const at of [0, 65_535, 65_536, 100_000]) {
    assert.ok(!intact(sent.subarray(0, at), sent.subarray(at + 1)), `lost at ${at}`)
    assert.ok(!intact(sent.subarray(0, at + 1), sent.subarray(at)), `doubled at ${at}`)
    const changed = Buffer.from(sent)
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
    assert.ok(!intact(changed), `changed at ${at}`)
  }
})

test('the page tells the story, and shows markup in it as text', () => {
  assert.doesNotMatch(page([]), /What just happened/)
  const shown = page([['<b>&', `"it's"`]])
  assert.match(shown, /What just happened/)
  assert.match(shown, /<dt>&#60;b&#62;&#38;<dd>&#34;it&#39;s&#34;/)
})

test('only a list of pairs of texts is a story', () => {
  assert.deepEqual(storyFromJson([['a', 'b']]), [['a', 'b']])
  for (const wrong of [null, {}, 'a', [1], [['a']], [['a', 1]], [{ 0: 'a', 1: 'b' }]]) {
    assert.throws(() => storyFromJson(wrong), TypeError)
  }
})

test('the story is told in lines that fit a terminal of 80 columns, whatever the figures', () => {
  for (const size of [0, 1, 123.4e6, 999e12]) {
    const transfer = { bytes: size, ms: 1_234.5 }
    const story = tell({
      requests: { count: Math.floor(size), bytes: size, p50Ms: 123.4 },
      down: transfer,
      up: transfer,
      echo: { ...transfer, atKill: size },
      gapMs: 12_345,
      ping: { calmMs: 123.4, busyMs: 1_234 },
    })
    for (const [label, sentence] of story) assert.ok(label.length + sentence.length <= 74, sentence)
  }
})

/** A demo with a temporary folder of its own; at the end of the test nothing of it may be left. */
class Demo {
  readonly process: Process
  readonly #folder = mkdtempSync(join(tmpdir(), 'tunnelctl-demo-test-'))

  constructor(t: TestContext, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    this.process = tunnelctl('demo', ['demo', ...args], { env: { TMPDIR: this.#folder, ...env } })
    t.after(async () => {
      await this.process.kill()
      for (const { pid } of this.children()) process.kill(pid, 'SIGKILL')
      rmSync(this.#folder, { recursive: true })
    })
  }

  /** The processes, except its own, that got this demo's temporary folder. Only Linux tells; undefined elsewhere. */
  children(): { pid: number; args: string }[] {
    if (!existsSync('/proc/self/environ')) return []
    return readdirSync('/proc').flatMap(name => {
      const pid = Number(name)
      if (!(pid > 0) || pid === this.process.pid) return []
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
        if (!environment.includes(`TMPDIR=${this.#folder}\0`)) return []
        return [{ pid, args: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') }]
      } catch {
        return []
      }
    })
  }

  /** Resolves with its exit code. */
  async finished(): Promise<number | null> {
    const { code } = await this.process.finished()
    return code
  }

  said(pattern: RegExp): Promise<RegExpExecArray> {
    const look = () => pattern.exec(this.process.stdout) ?? pattern.exec(this.process.stderr) ?? undefined
    return this.process.until(String(pattern), look)
  }

  assertNothingLeft(): void {
    assert.deepEqual(this.children(), [])
    assert.deepEqual(readdirSync(this.#folder), [])
  }
}

const failures = (stderr: string) => stderr.split('\n').filter(line => line.startsWith('tunnelctl: '))

describe('tunnelctl demo', { concurrency: 4 }, () => {
  test('plays the whole story, whatever the user has set, and leaves nothing behind', async t => {
    const demo = new Demo(t, [], {
      TUNNELCTL_GATEWAY: 'wss://gateway.example.com',
      TUNNELCTL_LISTEN: '0.0.0.0:1',
      TUNNELCTL_TOKEN: 'nonsense',
      TUNNELCTL_LOG_LEVEL: 'off',
      TUNNELCTL_SERVICE: 'nonsense',
      TUNNELCTL_DENY: '*/*:*',
    })
    assert.equal(await demo.finished(), 0, demo.process.describe())
    const { stdout, stderr } = demo.process
    assert.match(stdout, /^Forwarding from 127\.0\.0\.1:\d+ -> web\/demo:80\nForwarding from .* -> echo\/demo:7\n/)
    assert.match(stdout, /^ {2}requests +[\d,]+ pages, .* ms each/m)
    assert.match(stdout, /^ {2}down +[\d.]+ [kMG]B at [\d.]+ [kMG]B\/s$/m)
    assert.match(stdout, /^ {2}up +[\d.]+ [kMG]B at [\d.]+ [kMG]B\/s$/m)
    assert.match(stdout, /^ {2}ping +[\d.]+ m?s to the agent and back/m)
    assert.match(stdout, /^ {2}resumed +after [\d.]+ m?s, /m)
    assert.match(stdout, /^ {2}verified +all [\d.]+ [kMG]B: /m)
    assert.match(stderr, /^kill -9 \d+/m)
    assert.match(stderr, /^disconnected: .*\n(.*\n)?resumed after /m)
    assert.deepEqual(failures(stderr), [])
    demo.assertNothingLeft()
  })

  test('--keep goes on until Ctrl-C: the page, the echo, and a gateway that may be killed again', async t => {
    const demo = new Demo(t, ['--keep'])
    const [, url = ''] = await demo.said(/^ {2}(http:\/\/127\.0\.0\.1:\d+\/)$/m)
    const [, echoPort] = await demo.said(/127\.0\.0\.1:(\d+)$/m)
    const [, gatewayPid] = await demo.said(/^ {2}kill -9 (\d+)$/m)
    await demo.said(/(Forwarding from [\s\S]*){4}/)
    const text = await (await fetch(url)).text()
    assert.match(text, /What just happened[\s\S]*verified/)

    const socket = connect({ host: '127.0.0.1', port: Number(echoPort) })
    t.after(() => socket.destroy())
    socket.write('before')
    assert.equal(String(await once(socket, 'data')), 'before')
    process.kill(Number(gatewayPid), 'SIGKILL')
    await demo.said(/(disconnected[\s\S]*){2}/)
    socket.write('after')
    assert.equal(String(await once(socket, 'data')), 'after')
    socket.destroy()

    await demo.process.kill('SIGINT')
    assert.equal(await demo.finished(), 0, demo.process.describe())
    assert.deepEqual(failures(demo.process.stderr), [])
    demo.assertNothingLeft()
  })

  test('a signal in the middle ends all of it, without a word', async t => {
    const demo = new Demo(t)
    await demo.said(/bulk data/)
    await demo.process.kill('SIGTERM')
    assert.equal(await demo.finished(), 130)
    assert.deepEqual(failures(demo.process.stderr), [])
    demo.assertNothingLeft()
  })

  for (const [name, words] of [
    ['agent', ' agent --gateway '],
    ['service', ' demo --serve'],
  ] as const) {
    test(`a lost ${name} is one line and exit code 1`, async t => {
      const demo = new Demo(t)
      await demo.said(/bulk data/)
      const child = demo.children().find(({ args }) => args.includes(words))
      if (child === undefined) return t.skip('this system does not tell about processes')
      process.kill(child.pid, 'SIGKILL')
      assert.equal(await demo.finished(), 1)
      const lines = failures(demo.process.stderr)
      assert.ok(lines.at(-1)?.startsWith(`tunnelctl: INTERNAL the ${name} ended with SIGKILL (`), lines.join('\n'))
      // A connection that was being made at that moment may have been refused before.
      for (const line of lines.slice(0, -1)) assert.match(line, /^tunnelctl: (REFUSED|PEER_RESET) /)
      demo.assertNothingLeft()
    })
  }

  test('a demo that is killed takes its processes with it', async t => {
    const demo = new Demo(t)
    await demo.said(/bulk data/)
    if (demo.children().length === 0) return t.skip('this system does not tell about processes')
    await demo.process.kill('SIGKILL')
    const deadline = Date.now() + 20_000
    while (demo.children().length > 0 && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 50))
    assert.deepEqual(demo.children(), [])
  })

  test('without a folder for its keys it says so in one line', async t => {
    const demo = new Demo(t, [], { TMPDIR: '/dev/null' })
    assert.equal(await demo.finished(), 1)
    assert.match(
      demo.process.stderr,
      /^starting .*\ntunnelctl: INTERNAL cannot write to a folder in \/dev\/null: ENOTDIR \(set TMPDIR to a folder\)\n$/,
    )
  })
})
