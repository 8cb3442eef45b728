/** Markdown out of text that may hold anything. */

/** The text as it is: nothing in it marks up, and it stays in its line and in its cell. */
export const literally = (text: string): string => oneLine(text).replaceAll(/[\\`*_{}[\]<>#|&~]/g, '\\$&')

/** As code. A backtick cannot be in it, and is an apostrophe then. */
export const code = (text: string): string => `\`${oneLine(text).replaceAll('`', "'").replaceAll('|', '\\|')}\``

/** A block of commands. */
export const shell = (commands: readonly string[]): string[] => ['```sh', ...commands.map(oneLine), '```']

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

/** @param heads a colon at the end of one keeps its column to the right */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const names = heads.map(head => head.replace(/:$/, ''))
  return [line(names), `|${heads.map(head => (head.endsWith(':') ? '---:' : '---')).join('|')}|`, ...rows.map(line)]
}
