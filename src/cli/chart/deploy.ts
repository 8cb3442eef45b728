/** Everything in deploy/, by its path from there. Only the script that writes it and its test load this. */
import { agentChart } from './agent-chart.ts'
import type { Files } from './chart.ts'
import { gatewayChart } from './gateway-chart.ts'
import { agentBase, gatewayBase } from './kustomize.ts'

export function deployFiles(version: string): Files {
  const folders: readonly (readonly [folder: string, files: Files])[] = [
    ['helm/tunnelctl-agent', agentChart(version)],
    ['helm/tunnelctl-gateway', gatewayChart(version)],
    ['kustomize/agent', agentBase(version)],
    ['kustomize/gateway', gatewayBase(version)],
  ]
  return Object.fromEntries(
    folders.flatMap(([folder, files]) =>
      Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text] as const),
    ),
  )
}
