/** What tests read out of the pages in docs/: their tables, headings and fenced blocks. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

export class Page {
  readonly text: string

  /** @param name a file in docs/ */
  constructor(name: string) {
    this.text = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
  }

  /** The headings of one level, in order. */
  headings(level = 2): string[] {
    const prefix = `${'#'.repeat(level)} `
    return this.#linesOutsideBlocks()
      .filter(line => line.startsWith(prefix))
      .map(line => line.slice(prefix.length))
  }

  /** The rows of the table behind `<!-- table: name -->`, without its head; the cells without back quotes. */
  table(name: string): string[][] {
    const lines = this.text.split('\n')
    const start = lines.indexOf(`<!-- table: ${name} -->`)
    assert.notEqual(start, -1, `the page has no table ${name}`)
    const rows: string[][] = []
    for (const line of lines.slice(start + 3)) {
      if (!line.startsWith('|')) break
      rows.push(
        line
          .slice(1, -1)
          .split('|')
          .map(cell => cell.replaceAll('`', '').trim()),
      )
    }
    return rows
  }

  /** The lines of every fenced block whose info string starts with `info`, each split at ` | `. */
  block(info: string): string[][] {
    const found: string[][] = []
    let inside = false
    for (const line of this.text.split('\n')) {
      if (line.startsWith('```')) inside = line === `\`\`\`${info}` || line.startsWith(`\`\`\`${info} `)
      else if (inside) found.push(line.split(/ *\| ?/))
    }
    assert.ok(found.length > 0, `the page has no block ${info}`)
    return found
  }

  #linesOutsideBlocks(): string[] {
    let inside = false
    return this.text.split('\n').filter(line => {
      if (line.startsWith('```')) inside = !inside
      return !inside
    })
  }
}

export interface Vector {
  readonly name: string
  readonly bytes: Buffer
  readonly value: unknown
}

/** @param info `vectors` for all of them, `vectors session` for those of the worked session */
export function vectors(info = 'vectors'): Vector[] {
  return new Page('protocol.md').block(info).map(([name = '', hex = '', ...json]) => {
    return { name, bytes: fromHex(hex), value: JSON.parse(json.join(' | ')) }
  })
}

/** Spaces are for the reader; anything else that is not hex fails, where Buffer.from would stop in silence. */
export function fromHex(text: string): Buffer {
  const hex = text.replaceAll(' ', '')
  assert.match(hex, /^([0-9a-f]{2})*$/)
  return Buffer.from(hex, 'hex')
}
