/** What the manual says that no command's help does: the whole, the forms of targets, variables, files and exit codes. */
import { errorCodes, TunnelError } from '../../errors.ts'

export const description = [
  'tunnelctl gives you a local port, or a pipe, to a service inside a Kubernetes cluster that nobody can reach from outside. Three roles work together. An agent runs in the cluster and reaches the services. A gateway runs where everybody can reach it, and relays. connect runs on the machine of whoever needs the service. connect and the agent dial out to the gateway by WebSocket; nothing is opened towards the cluster.',
  'A session runs from connect to the agent and outlives the WebSockets that it rides on: connections that are open go on, with no byte lost or doubled, when the network changes, when a WebSocket is cut and when the gateway is restarted. What fails is told in one line on stderr, with a code and with what to do.',
  'Who may reach what is in a token, which is checked at the gateway for every connection and again at the agent. A token comes from a file, the environment or stdin, and is never an argument.',
  'connect prints a line for each port that it has opened on stdout, "Forwarding from 127.0.0.1:5432 -> db/prod:5432", and everything else on stderr.',
  'SIGINT ends every role in order and at once. SIGTERM does too, but leaves an agent and a gateway up to --drain-timeout for what is open to end, or to move elsewhere. A second signal ends the process without ado. SIGHUP makes connect dial the gateway again at once, as long as its terminal is there.',
] as const

export const targets = [
  'A target is a service, its namespace and a port, which is a number or the name that the service gives to it:',
  'The namespace may be left out where --namespace gives it. What kubectl and cluster DNS call a service is taken too: svc/db:5432, db.prod:5432, db.prod.svc.cluster.local:5432. Without /udp a target is TCP. The local port is that of the target when it is free, and another one otherwise; a local port that was asked for must be free, and 0 is any. What stands in front says where connect listens:',
] as const

export const targetForms = [
  'SERVICE/NAMESPACE:PORT[/udp]',
  'LOCAL:SERVICE/NAMESPACE:PORT[/udp]',
  'BIND:LOCAL:SERVICE/NAMESPACE:PORT[/udp]',
  'unix:PATH:SERVICE/NAMESPACE:PORT',
] as const

export const ownStatus =
  'With a command behind --, the exit status of connect is that of the command, or 128 and the number of the signal that has ended it.'

type Facts = readonly (readonly [name: string, meaning: string])[]

export const environment: Facts = [
  [
    'TUNNELCTL_TOKEN',
    'The token itself. It goes before the file that a context names, and after --token-file and its variable.',
  ],
  ['TUNNELCTL_CONFIG', 'The configuration file, in place of config.yaml.'],
  [
    'TUNNELCTL_HOST, TUNNELCTL_PORT',
    'Set by connect for the command behind --: where its first target is; TUNNELCTL_HOST2 and TUNNELCTL_PORT2 are for the second, and so on.',
  ],
  ['NO_COLOR', 'When it is set there are no colours, as with --no-color.'],
  ['FORCE_COLOR', 'Colours where stderr is no terminal; 0 is none. It goes before NO_COLOR.'],
  ['CI', 'When it is set nothing is asked and nothing is drawn in place, even at a terminal.'],
  ['XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME', 'Where the folders under FILES are.'],
]

export const files: Facts = [
  [
    '~/.config/tunnelctl/config.yaml',
    'The contexts, each a gateway and how to talk to it, and which of them is the current one. login and context change it; it may be edited by hand.',
  ],
  ['~/.config/tunnelctl/tokens/', 'Tokens that login has got, and what renews them, readable by you alone.'],
  [
    'tunnelctl.yaml',
    'What tunnelctl up opens: the nearest one, in this folder or in one above. It lies beside the code of a team, and has no secrets in it.',
  ],
  ['~/.local/state/tunnelctl/detached/', 'A note and a log for each detached connect.'],
  ['~/.local/state/tunnelctl/recent.json', 'The services that were picked last.'],
  ['~/.local/state/tunnelctl/dev/', 'The key and the tokens of gateway --dev.'],
  ['~/.cache/tunnelctl/', 'What completion remembers of the services, so that TAB is answered at once.'],
]

export const seeAlso = [
  ['kubectl', '1'],
  ['ssh', '1'],
  ['ssh_config', '5'],
] as const

const statuses: Facts = [
  ['0', 'It went well, or ended in order.'],
  ['1', 'A failure that is none of those below.'],
  ['2', 'The command line, a target or the configuration is wrong.'],
  ['3', 'Unauthenticated or denied: the token is missing, has expired, or does not allow it.'],
  ['4', 'The gateway, the agent or the service cannot be reached.'],
  ['127', 'The command behind -- cannot be started.'],
  ['130', 'Interrupted, by Ctrl-C or by another signal. An agent and a gateway that are told to end do so with 0.'],
]

/** With the codes that end a process so, from the table of all errors. */
export function exitStatuses(): { status: string; meaning: string; codes: readonly string[] }[] {
  const known = statuses.map(([status]) => Number(status))
  const codes = errorCodes.map(code => ({ code, status: new TunnelError(code, '').exitCode }))
  const untold = codes.find(({ status }) => !known.includes(status))
  if (untold !== undefined) throw new Error(`the manual does not say what exit status ${untold.status} means`)
  return statuses.map(([status, meaning]) => ({
    status,
    meaning,
    codes: codes.filter(each => each.status === Number(status)).map(({ code }) => code),
  }))
}
