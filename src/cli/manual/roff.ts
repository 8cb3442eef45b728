/** Text as man(7) takes it, so that every dash, quote and dot comes out as it was written, and can be copied. */

const TEXT_COLUMNS = 78
/** Of 80, with what man keeps for its margins. */
const EXAMPLE_COLUMNS = 67

const glyphs: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
}

/** Every character as it is. */
const literal = (text: string): string =>
  text.replace(/[\\'`^~-]|[^ -~\n]/g, found => glyphs[found] ?? `\\[u${hexOf(found)}]`)

const hexOf = (character: string): string => (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')

export const bold = (text: string): string => `\\fB${literal(text)}\\fR`

export const italic = (text: string): string => `\\fI${literal(text)}\\fR`

/** `[LOCAL:]target...`: the words are for the reader to replace, the signs between them are to be typed. */
export const placeholder = (text: string): string =>
  text
    .split(/([A-Za-z][A-Za-z-]*)/)
    .map((part, index) => (index % 2 === 1 ? italic(part) : literal(part)))
    .join('')

/** Running text: flags and variables stand out, and each sentence begins a line, as roff wants it. */
export function prose(text: string): string {
  const names = /(?<![\w-])(--?[A-Za-z][\w-]*|TUNNELCTL_[A-Z]+(?:_[A-Z]+)*)/
  const marked = (sentence: string): string =>
    sentence
      .split(names)
      .map((part, index) => (index % 2 === 1 ? bold(part) : literal(part)))
      .join('')
  const sentences = text
    .replace(/\s+/g, ' ')
    .trim()
    .split(/(?<=[.!?]) (?=[A-Z])/)
  return sentences.flatMap(sentence => filled(marked(sentence))).join('\n')
}

/** Lines of text as they are, in a fixed width; too long ones go on below, as a shell allows it. */
export function example(lines: readonly string[]): string {
  const rows = lines.flatMap(continued).map(line => protectedLine(literal(line)))
  return ['.PP', '.RS 4', '.EX', ...rows, '.EE', '.RE'].join('\n')
}

/** A term with what it means, indented below it. */
export const entry = (term: string, meaning: string): string => `.TP\n${term}\n${meaning}`

export const paragraph = (text: string): string => `.PP\n${prose(text)}`

export const section = (title: string, ...parts: readonly string[]): string =>
  [`.SH ${title}`, ...parts].join('\n').replace(/^(\.S[HS] .*\n)\.PP\n/gm, '$1')

export const subsection = (title: string, ...parts: readonly string[]): string =>
  [`.SS ${literal(title)}`, ...parts].join('\n').replace(/^(\.SS .*\n)\.PP\n/, '$1')

/** A name that is to be typed, or looked for, is not cut in two at the end of a line. */
const whole = (word: string): string => (/[A-Z]{2}|[/_=]|:\S|\w\.\w|\\-/.test(word) ? `\\%${word}` : word)

/** A dot or a quote in front would make a request of it. */
const protectedLine = (line: string): string => line.replace(/^(?=[.'])/, '\\&')

function filled(text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').map(whole)) {
    if (line !== '' && line.length + word.length >= TEXT_COLUMNS) {
      lines.push(line)
      line = word
    } else line += line === '' ? word : ` ${word}`
  }
  return [...lines, line].map(protectedLine)
}

/** The line, cut in front of flags and of ">", but for what is quoted. */
function continued(line: string): string[] {
  if (line.length <= EXAMPLE_COLUMNS) return [line]
  const rows: string[] = []
  for (const part of line.split(/ (?=(?:--|>)(?:[^']*'[^']*')*[^']*$)/)) {
    const last = rows.at(-1)
    if (last === undefined || last.length + part.length + 3 > EXAMPLE_COLUMNS)
      rows.push(last === undefined ? part : `    ${part}`)
    else rows[rows.length - 1] = `${last} ${part}`
  }
  return rows.map((row, index) => (index === rows.length - 1 ? row : `${row} \\`))
}
