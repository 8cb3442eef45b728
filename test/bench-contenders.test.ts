import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { checkPath } from '../bench/checks.ts'
import type { Contender } from '../bench/contenders/contender.ts'
import { allContenders, contenders, yardstickOf } from '../bench/contenders/contenders.ts'
import { Load } from '../bench/load.ts'
import { type Ports, type Services, startServices } from '../bench/services.ts'
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

  /** The transfers are ended by FIN, and answered after it. */
  async function carry({ name, cutsHalfOpen }: Contender, ports: Ports): Promise<void> {
    if (cutsHalfOpen) await load.run('roundtrip', { port: ports.echo ?? 0, seconds: 0.2 })
    else await checkPath(name, ports, services, load, bytes)
  }

  const tools = findTools()
  for (const contender of allContenders.map(make => make(tools))) {
    const skip = contender.missing === undefined ? false : `missing: ${contender.missing}`

    test(`${contender.name} carries an echo and files unchanged`, { skip }, async () => {
      const running = await contender.start(services.ports, {})
      try {
        await carry(contender, running.ports)
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
        await carry(contender, running.ports)
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
