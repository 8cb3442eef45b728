/** Objects as text that `kubectl apply -f -` takes. The same objects are the same text. */
import { stringify } from 'yaml'
import type { KubernetesObject } from './objects.ts'

/** kubectl reads YAML as 1.1 has it, where `off` is no text unless it is quoted. */
export const yamlOf = (value: unknown): string =>
  stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false })

/** @param notes lines for the reader, as comments in front */
export function yamlDocuments(objects: readonly KubernetesObject[], notes: readonly string[]): string {
  const comments = notes.map(line => `# ${line}\n`).join('')
  return `${comments}${objects.map(object => `---\n${yamlOf(object)}`).join('')}`
}

export const jsonList = (items: readonly KubernetesObject[]): string =>
  `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2)}\n`
