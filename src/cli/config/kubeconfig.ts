/** The namespace that kubectl would use: users of `tunnelctl connect svc/web:80` type it beside kubectl. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/**
 * That of the current context in the first kubeconfig that has one, and `default` where it names none, as kubectl does it;
 * undefined where there is no kubeconfig. A file that cannot be read is kubectl's to complain of.
 */
export async function kubeNamespace({ KUBECONFIG: listed, HOME: home }: Env): Promise<string | undefined> {
  const own = join(home || homedir(), '.kube', 'config')
  const files = (listed ?? '').split(delimiter).filter(file => file !== '')
  for (const file of files.length > 0 ? files : [own]) {
    if (!existsSync(file)) continue
    const found = await namespaceIn(file)
    if (found !== undefined) return found
  }
  return undefined
}

async function namespaceIn(file: string): Promise<string | undefined> {
  try {
    const { parse } = await import('yaml')
    const { 'current-context': current, contexts } = parse(await readFile(file, 'utf8')) as Record<string, unknown>
    if (typeof current !== 'string' || current === '' || !Array.isArray(contexts)) return undefined
    const { context } = (contexts.find(each => (each as { name?: unknown }).name === current) ?? {}) as {
      context?: { namespace?: unknown }
    }
    return typeof context?.namespace === 'string' ? context.namespace : 'default'
  } catch {
    return undefined
  }
}
