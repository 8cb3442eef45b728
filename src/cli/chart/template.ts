/**
 * Objects with holes in them, as templates of Helm. What is to stand in a template is hidden in names of letters and digits
 * while YAML is made, which quotes none of these; then each is replaced by what it stands for.
 */
import { yamlOf } from '../manifests/print.ts'

type Fields = Readonly<Record<string, unknown>>

const hidden = (kind: 'V' | 'C' | 'K', text: string): string => `TPL${kind}${Buffer.from(text).toString('hex')}E`
const shown = (hex: string): string => Buffer.from(hex, 'hex').toString()

/** A value, or a part of a text, that the template makes: `{{ … }}` as it is to stand there. */
export const hole = (text: string): string => hidden('V', text)

const control = (text: string): string => hidden('C', text)

/** Items of a list that are there only when `condition` holds. */
export const itemsWhen = (condition: string, items: readonly unknown[]): unknown[] => [
  control(`if ${condition}`),
  ...items,
  control('end'),
]

/** One item for each of a list of values, where `{{ . }}` is the value. */
export const itemsFor = (values: string, item: unknown): unknown[] => [control(`range ${values}`), item, control('end')]

/** Fields that are there only when `condition` holds; others of the same names may be there when it does not. */
export const fieldsWhen = (condition: string, fields: Fields): Fields => ({
  [control(`if ${condition}`)]: null,
  ...Object.fromEntries(Object.entries(fields).map(([key, value]) => [`${hidden('K', condition)}${key}`, value])),
  [control(`end ${condition}`)]: null,
})

/** The list, with the items that `picked` picks there only when `condition` holds. */
export const listWhen = <T>(list: readonly T[], picked: (item: T) => boolean, condition: string): unknown[] =>
  list.flatMap(item => (picked(item) ? itemsWhen(condition, [item]) : [item]))

/** One object as a template, below `condition` if there is one. */
export function templateOf(object: unknown, condition?: string): string {
  const lines = yamlOf(object)
    .replace(/TPLK[0-9a-f]*E/g, '')
    .split('\n')
    .map(lineOf)
  const text = `---\n${lines.join('\n')}`
  return condition === undefined ? text : `{{- if ${condition} }}\n${text}{{- end }}\n`
}

function lineOf(line: string): string {
  const [, hex] = /^\s*(?:- )?TPLC([0-9a-f]*)E(?:: null)?$/.exec(line) ?? []
  if (hex !== undefined) return `{{- ${shown(hex).replace(/^end .*/, 'end')} }}`
  // A text around a hole is quoted, because nobody knows what will be in it.
  const quoted = line.replace(/^(\s*(?:- )?(?:[\w./-]+: )?)([^"' ]*TPLV[0-9a-f]*E[^"' ]*)$/, (all, before, scalar) =>
    /^TPLV[0-9a-f]*E$/.test(scalar) ? all : `${before}"${scalar}"`,
  )
  return quoted.replace(/TPLV([0-9a-f]*)E/g, (_, found: string) => shown(found))
}
