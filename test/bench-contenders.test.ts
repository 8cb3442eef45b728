import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { checkPath } from '../bench/checks.ts'
import { allContenders, contenders, yardstickOf } from '../bench/contenders/contenders.ts'
import { Load } from '../bench/load.ts'
import { requests } from '../bench/measures/requests.ts'
import { type Services, startServices } from '../bench/services.ts'
import { findTools } from '../bench/tools.ts'

describe('the contenders of the bench', () => {
  const bytes = 2 ** 22
  const load = new Load()
  let services: Services
  before(async () => {
    services = await startServices({}, bytes)
  })
  after(async () => {
    await load.stop()
    await services.stop()
  })

  const tools = findTools()
  for (const contender of allContenders.map(make => make(tools))) {
    const skip = contender.missing === undefined ? false : `missing: ${contender.missing}`

    test(`${contender.name} carries an echo and files unchanged`, { skip }, async () => {
      const running = await contender.start(services.ports, {})
      try {
        await checkPath(contender, running.ports, services, load, bytes)
      } finally {
        await running.stop()
      }
      assert.deepEqual(
        running.processes.filter(child => child.end === undefined),
        [],
      )
    })

    test(`${contender.name} goes through the link that is put before its middle`, { skip }, async () => {
      const links: Link[] = []
      const link = async (port: number): Promise<number> => {
        const made = await openLink(port)
        links.push(made)
        return made.port
      }
      const running = await contender.start(services.ports, { link })
      try {
        await checkPath(contender, running.ports, services, load, bytes)
        const least = contender.cutsHalfOpen ? 64 : bytes
        const [up, down] = [sum(links.map(({ up }) => up)), sum(links.map(({ down }) => down))]
        const most = Math.max(up, down)
        assert.ok(up > least && down > least, `${up} bytes went up through the link, ${down} came down`)
        assert.ok(most < 3 * bytes, `${most} bytes went one way through the link`)
      } finally {
        await running.stop()
        for (const { server } of links) server.close()
      }
    })
  }

  test('that cut half-open connections are checked without one', async () => {
    const cutting = createServer(socket => socket.on('end', () => socket.destroy()).pipe(socket, { end: false }))
    await new Promise<void>(resolve => cutting.listen(0, '127.0.0.1', resolve))
    const ports = { echo: (cutting.address() as AddressInfo).port, blob: 1 }
    try {
      const cuts = { name: 'cuts', cutsHalfOpen: true } as const
      const [check, ...more] = await checkPath(cuts, ports, services, load, bytes)
      assert.equal(check?.check, 'echo without FIN')
      assert.ok((check?.bytes ?? 0) > 0)
      assert.deepEqual(more, [])
    } finally {
      cutting.close()
    }
  })

  test('are not measured when no request was answered in time', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bench-wrk-'))
    try {
      const path = join(folder, 'wrk')
      writeFileSync(path, "#!/bin/sh\necho '  0 requests in 1.00s, 0.00B read'\necho 'Requests/sec:      0.00'\n")
      chmodSync(path, 0o755)
      const bench = { load, other: load, tools: { wrk: { path } }, services: {}, ports: {}, seconds: 1 }
      await assert.rejects(requests(64, {}).run(1, bench), /^Error: no answer within 11 s over 64 connections$/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('have a yardstick for each security, and names of their own', () => {
    const made = allContenders.map(make => make({}))
    const names = made.map(contender => contender.name)
    assert.equal(new Set(names).size, names.length)
    for (const { security } of made)
      assert.equal(made.find(({ name }) => name === yardstickOf(security))?.security, security)
    for (const make of contenders) assert.ok(allContenders.includes(make))
  })

  test('say in one word which program is missing, do not start without it, and say how to get it', async () => {
    for (const make of allContenders) {
      const contender = make({})
      if (!contender.programs?.length) continue
      assert.match(contender.missing ?? '', /^\S+$/)
      await assert.rejects(contender.start(services.ports, {}), /^Error: no \S+$/)
      if (contender.name !== 'tunnelctl-tls')
        assert.match(contender.about?.install ?? '', /^(apt-get|brew|cargo|go) install/)
    }
  })
})

test('a program is found in the folder that is named before any other', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-tools-'))
  try {
    const path = join(folder, 'haproxy')
    writeFileSync(path, '#!/bin/sh\necho HAProxy version 0.1.2\n')
    chmodSync(path, 0o755)
    assert.deepEqual(findTools(folder).haproxy, { path, version: '0.1.2' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

interface Link {
  readonly server: Server
  readonly port: number
  /** Bytes so far. */
  up: number
  down: number
}

/** Passes on what comes, and counts it. */
async function openLink(to: number): Promise<Link> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, near => {
    const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    near.on('data', chunk => {
      link.up += chunk.length
    })
    far.on('data', chunk => {
      link.down += chunk.length
    })
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
    near.pipe(far).pipe(near)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const link: Link = { server, port: (server.address() as AddressInfo).port, up: 0, down: 0 }
  return link
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
