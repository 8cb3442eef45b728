/** What a chart can be told: values.yaml and values.schema.json, from one list. */
import { yamlOf } from '../manifests/print.ts'

type Schema = Readonly<Record<string, unknown>>

export interface Value {
  readonly says: string
  readonly value: unknown
  readonly schema: Schema
}

export type Values = { readonly [name: string]: Value | { readonly in: Values } }

export const text = (says: string, value: string, more: Schema = {}): Value => ({
  says,
  value,
  schema: { type: 'string', ...more },
})

export const texts = (says: string, pattern: string): Value => ({
  says,
  value: [],
  schema: { type: 'array', items: { type: 'string', pattern } },
})

export const flag = (says: string, value: boolean): Value => ({ says, value, schema: { type: 'boolean' } })

/** As Kubernetes has it, which checks it. */
export const object = (says: string, value: object = {}): Value => ({ says, value, schema: { type: 'object' } })
export const list = (says: string): Value => ({ says, value: [], schema: { type: 'array', items: { type: 'object' } } })

const isGroup = (entry: Values[string] | undefined): entry is { readonly in: Values } =>
  entry !== undefined && 'in' in entry

export function valuesYaml(values: Values, indent = ''): string {
  return Object.entries(values)
    .map(([name, entry]) => {
      if (isGroup(entry)) return `${indent}${name}:\n${valuesYaml(entry.in, `${indent}  `)}`
      const lines = yamlOf({ [name]: entry.value })
        .trimEnd()
        .split('\n')
      return `${indent}# ${entry.says}\n${lines.map(line => `${indent}${line}\n`).join('')}`
    })
    .join('')
}

export const valuesSchema = (values: Values): string =>
  `${JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', ...schemaOf(values) }, null, 2)}\n`

function schemaOf(values: Values): Schema {
  const properties = Object.entries(values).map(([name, entry]) => [
    name,
    isGroup(entry) ? schemaOf(entry.in) : { description: entry.says, ...entry.schema },
  ])
  // `global` is given to every chart that is part of another one.
  return {
    type: 'object',
    additionalProperties: false,
    properties: { ...Object.fromEntries(properties), global: { type: 'object' } },
  }
}
