/** Checks objects against the OpenAPI document of Kubernetes, more strictly than its API server: nothing unknown passes. */
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly description?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly items?: Schema
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[]
}

type Definitions = Readonly<Record<string, Schema>>
type Fields = Readonly<Record<string, unknown>>

const REF = '#/definitions/'
const QUANTITY = /^[+-]?(\d+|\d+\.\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/

/** What the document has in prose only. */
const enums: Readonly<Record<string, readonly string[]>> = {
  'core.v1.ServiceSpec.type': ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'],
  'core.v1.ServicePort.protocol': ['TCP', 'UDP', 'SCTP'],
  'core.v1.ContainerPort.protocol': ['TCP', 'UDP', 'SCTP'],
  'core.v1.Container.imagePullPolicy': ['Always', 'IfNotPresent', 'Never'],
  'core.v1.SeccompProfile.type': ['RuntimeDefault', 'Localhost', 'Unconfined'],
  'core.v1.TopologySpreadConstraint.whenUnsatisfiable': ['DoNotSchedule', 'ScheduleAnyway'],
  'core.v1.PodSpec.restartPolicy': ['Always', 'OnFailure', 'Never'],
  'apps.v1.DeploymentStrategy.type': ['Recreate', 'RollingUpdate'],
  'networking.v1.NetworkPolicyPort.protocol': ['TCP', 'UDP', 'SCTP'],
  'networking.v1.NetworkPolicySpec.policyTypes': ['Ingress', 'Egress'],
  'networking.v1.HTTPIngressPath.pathType': ['Exact', 'Prefix', 'ImplementationSpecific'],
  'policy.v1.PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy': ['IfHealthyBudget', 'AlwaysAllow'],
  'rbac.v1.PolicyRule.verbs': ['get', 'list', 'watch'],
  'rbac.v1.RoleRef.kind': ['ClusterRole', 'Role'],
  'meta.v1.LabelSelectorRequirement.operator': ['In', 'NotIn', 'Exists', 'DoesNotExist'],
}

export class KubernetesSchema {
  readonly #definitions: Definitions
  readonly #kinds = new Map<string, string>()

  constructor(definitions: Definitions) {
    this.#definitions = definitions
    for (const [name, schema] of Object.entries(definitions)) {
      for (const { group, version, kind } of schema['x-kubernetes-group-version-kind'] ?? []) {
        this.#kinds.set(`${group === '' ? version : `${group}/${version}`} ${kind}`, name)
      }
    }
  }

  /** Undefined when the environment does not say where the document is. */
  static load(): KubernetesSchema | undefined {
    const file = process.env.TEST_K8S_OPENAPI
    if (file === undefined || !existsSync(file)) return undefined
    const { definitions } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as { definitions: Definitions }
    return new KubernetesSchema(definitions)
  }

  knows = (object: Fields): boolean => this.#kinds.has(`${object.apiVersion} ${object.kind}`)

  /** Everything that is wrong with an object, each with where it is. */
  violations(object: Fields): string[] {
    const name = this.#kinds.get(`${object.apiVersion} ${object.kind}`)
    if (name === undefined) return [`there is no ${object.apiVersion} ${object.kind}`]
    return this.#check({ $ref: `${REF}${name}` }, object, String(object.kind), '')
  }

  /** @param field as `enums` has it, where it is known */
  #check(schema: Schema, value: unknown, at: string, field: string): string[] {
    if (schema.$ref !== undefined) {
      const name = schema.$ref.slice(REF.length)
      return this.#check(
        this.#definitions[name] ?? {},
        value,
        at,
        name.replace(/^io\.k8s\.(api|apimachinery\.pkg\.apis)\./, ''),
      )
    }
    if (value === null || value === undefined) return [`${at} is nothing`]
    if (field.endsWith('api.resource.Quantity')) return wrongUnless(QUANTITY.test(String(value)), at, 'a quantity')
    switch (schema.format ?? schema.type) {
      case 'int-or-string':
        return wrongUnless(Number.isInteger(value) || typeof value === 'string', at, 'a number or a text')
      case 'int32':
      case 'int64':
      case 'integer':
        return wrongUnless(Number.isSafeInteger(value), at, 'a whole number')
      case 'boolean':
        return wrongUnless(typeof value === 'boolean', at, 'true or false')
      case 'string':
        return this.#text(value, at, field)
      case 'array':
        if (!Array.isArray(value)) return [`${at} is not a list`]
        return value.flatMap((item, index) => this.#check(schema.items ?? {}, item, `${at}[${index}]`, field))
      default:
        return this.#object(schema, value, at, field)
    }
  }

  #text(value: unknown, at: string, field: string): string[] {
    if (typeof value !== 'string') return [`${at} is not a text`]
    const choices = enums[field]
    return wrongUnless(choices === undefined || choices.includes(value), at, `one of ${choices?.join(', ')}`)
  }

  #object(
    { properties, additionalProperties, required = [] }: Schema,
    value: unknown,
    at: string,
    type: string,
  ): string[] {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at} is not a map`]
    const missing = required.filter(name => !Object.hasOwn(value, name)).map(name => `${at} has no ${name}`)
    const wrong = Object.entries(value).flatMap(([name, child]) => {
      const schema = properties?.[name] ?? additionalProperties
      if (schema === undefined) return [`${at}.${name} is unknown`]
      return this.#check(schema, child, `${at}.${name}`, `${type}.${name}`)
    })
    return [...missing, ...wrong]
  }
}

const wrongUnless = (right: boolean, at: string, what: string): string[] => (right ? [] : [`${at} is not ${what}`])
