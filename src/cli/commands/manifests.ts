/** `tunnelctl manifests`: what `kubectl apply -f -` makes an agent or a gateway of. */
import { Command, Option } from 'commander'
import type { Io } from '../io.ts'
import { agentObjects } from '../manifests/agent.ts'
import {
  type AgentFlags,
  agentFrom,
  DEFAULT_AUDIENCE,
  DEFAULT_NAMESPACE,
  type GatewayFlags,
  gatewayFrom,
  IMAGE,
  type PlaceFlags,
} from '../manifests/flags.ts'
import { gatewayObjects } from '../manifests/gateway.ts'
import { edges } from '../manifests/install.ts'
import { agentNotes, gatewayNotes } from '../manifests/notes.ts'
import type { KubernetesObject } from '../manifests/objects.ts'

const agentExamples = `
Examples:
  tunnelctl manifests agent --gateway wss://gateway.example.com | kubectl apply -f -
  tunnelctl manifests agent --gateway wss://gateway.example.com --discovery namespaces --namespaces prod,staging
`

const gatewayExamples = `
Examples:
  tunnelctl manifests gateway --host gateway.example.com --tls-secret gateway-tls | kubectl apply -f -
  tunnelctl manifests gateway --host gateway.example.com --tls-secret gateway-tls --ingress nginx
`

export function manifestsCommand(io: Io): Command {
  const command = new Command('manifests').description(
    'Prints the Kubernetes objects that install an agent or a gateway. No secret is in them; what is still to be made is said on stderr.',
  )
  command.addCommand(agentManifests(io))
  command.addCommand(gatewayManifests(io))
  return command
}

// Only on the command line: what is printed depends on nothing else, and TUNNELCTL_NAMESPACE is that of targets.
const flag = (flags: string, description: string): Option => new Option(flags, description)
const listed = (flags: string, description: string): Option =>
  flag(flags, description).argParser((value, before?: readonly string[]) => [
    ...(before ?? []),
    ...value.split(',').map(part => part.trim()),
  ])

const placeOptions = (replicas: Option): Option[] => [
  flag('-n, --namespace <namespace>', 'where to install it').default(DEFAULT_NAMESPACE),
  flag('--create-namespace', `make the namespace too; ${DEFAULT_NAMESPACE} is made anyway`),
  flag('--image <image>', `the image that the pods run; default: that of this version of tunnelctl at ${IMAGE}`),
  replicas,
  flag('-o, --output <format>', 'yaml, or json').choices(['yaml', 'json']).default('yaml'),
]

function agentManifests(io: Io): Command {
  const command = new Command('agent')
    .summary('print the objects of an agent')
    .description('Prints the objects of an agent: it dials out to the gateway, and no Service leads to it.')
    .addHelpText('after', agentExamples)
    .addOption(flag('--gateway <url>', 'the gateway to dial, as wss://gateway.example.com'))
    .addOption(flag('--name <agent>', "the agent's name, as its token has it; for more than one in a namespace"))
    .addOption(flag('--token-secret <name>', 'the Secret with its token, at the key "token"; default: tunnelctl-agent'))
    .addOption(
      flag(
        '--service-account-token [audience]',
        `in place of it, a token that the cluster makes and renews; default audience: ${DEFAULT_AUDIENCE}`,
      ),
    )
    .addOption(listed('--allow <pattern...>', 'reach these only, whatever tokens allow: api/prod:8080, */dev:*'))
    .addOption(listed('--deny <pattern...>', 'never reach these'))
    .addOption(
      flag('--discovery <where>', 'look services up in the API: cluster, namespaces, or off')
        .choices(['cluster', 'namespaces', 'off'])
        .default('off'),
    )
    .addOption(listed('--namespaces <namespace...>', 'those to look in, with --discovery namespaces'))
  for (const each of placeOptions(flag('--replicas <count>', 'how many pods').default('2'))) command.addOption(each)
  return command.action(async (flags: AgentFlags) => {
    const install = agentFrom(flags)
    await print(agentObjects(install), agentNotes(install, flags.name ?? 'NAME'), flags, io)
  })
}

function gatewayManifests(io: Io): Command {
  const command = new Command('gateway')
    .summary('print the objects of a gateway')
    .description('Prints the objects of a gateway, and of the edge in front of it.')
    .addHelpText('after', gatewayExamples)
    .addOption(flag('--host <host>', 'where it is reached, as gateway.example.com'))
    .addOption(
      flag(
        '--verify-key-secret <name>',
        'the Secret with the public key to check tokens with, at the key "issuer.key.pub"',
      ).default('tunnelctl-gateway'),
    )
    .addOption(
      flag('--tls-secret <name>', 'the Secret with the certificate for the host, of the type kubernetes.io/tls'),
    )
    .addOption(
      flag(
        '--ingress <edge>',
        'what ends TLS in front: gateway-api, nginx, alb, gke, traefik, or none: a load balancer and the gateway itself',
      )
        .choices(edges)
        .default('none'),
    )
    .addOption(flag('--ingress-class <name>', 'the class of the Ingress or Gateway, where it is not the usual one'))
    .addOption(flag('--ingress-domain <domain>', 'serve services as HTTP: service--namespace--port.DOMAIN'))
    .addOption(flag('--oidc-issuer <url>', 'let people in who log in there: an OpenID Connect provider'))
    .addOption(flag('--oidc-audience <client-id>', 'the client id of tunnelctl at the issuer'))
    .addOption(
      flag('--oidc-rules-configmap <name>', 'the ConfigMap that says who may do what, at the key "rules.yaml"'),
    )
    .addOption(
      flag(
        '--clusters-configmap <name>',
        'the ConfigMap that says whose service accounts are agents, at "clusters.yaml"',
      ),
    )
    .addOption(flag('--token-review', 'let it ask the cluster whether their tokens hold'))
  for (const each of placeOptions(flag('--replicas <count>', 'how many pods: one').default('1')))
    command.addOption(each)
  return command.action(async (flags: GatewayFlags) => {
    const install = gatewayFrom(flags)
    await print(gatewayObjects(install), gatewayNotes(install), flags, io)
  })
}

async function print(
  objects: readonly KubernetesObject[],
  notes: readonly string[],
  { output }: PlaceFlags,
  io: Io,
): Promise<void> {
  const { jsonList, yamlDocuments } = await import('../manifests/print.ts')
  io.stdout.write(output === 'json' ? jsonList(objects) : yamlDocuments(objects, notes))
  // Who pipes it to kubectl does not see the comments.
  if (output === 'json' || io.stdout.isTTY !== true) io.stderr.write(notes.map(line => `${line}\n`).join(''))
}
