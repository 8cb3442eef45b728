/** `tunnelctl token`: makes key pairs, makes tokens, shows what is in one, and what it allows. */
import { Command, CommanderError, Option } from 'commander'
import { TunnelError } from '../../errors.ts'
import { decideOpen } from '../../gateway/acl.ts'
import { mayUseAgent, principalFromClaims, requireRole } from '../../gateway/principal.ts'
import { claimsFromPayload, type Role, tokenIssuer } from '../../net/claims.ts'
import { formatDuration, parseDuration } from '../../net/duration.ts'
import { quote, redactTokens } from '../../net/quote.ts'
import { formatTarget, parseTarget, type Target } from '../../net/target.ts'
import { readPrivateKey, writeKeyPair } from '../../token/keys.ts'
import { readToken } from '../../token/secret.ts'
import { createToken, inspectToken, type TokenReport } from '../../token/token.ts'
import type { Io } from '../io.ts'
import { refuseSecret } from '../options.ts'

interface CreateOptions {
  readonly key: string
  readonly role: Role
  readonly subject: string
  readonly agent?: readonly string[]
  readonly allow?: readonly string[]
  readonly ttl: string
}

const examples = `
Examples, in this order:
  tunnelctl token keygen --out issuer.key
  tunnelctl token create --key issuer.key --role agent --subject prod-agent --agent prod --ttl 90d > agent.token
  tunnelctl token create --key issuer.key --role connect --subject ada --agent prod --allow db/prod:5432 --ttl 8h > ada.token
  tunnelctl token inspect --token-file ada.token
  tunnelctl token check --token-file ada.token db/prod:5432
`

/** Throws TunnelError or CommanderError out of `parseAsync`; never ends the process. */
export function tokenCommand(io: Io): Command {
  const command = new Command('token')
    .description('Makes key pairs and tokens, and shows what is in a token and what it allows.')
    .addHelpText('after', examples)
    .configureOutput({
      writeOut: text => io.stdout.write(text),
      writeErr: text => io.stderr.write(redactTokens(text)),
    })
    .exitOverride(({ exitCode, code, message }) => {
      throw new CommanderError(exitCode, code, redactTokens(message))
    })
  addKeygen(command, io)
  addCreate(command, io)
  addInspect(command, io)
  addCheck(command, io)
  return command
}

function addKeygen(command: Command, io: Io): void {
  command
    .command('keygen')
    .summary('make a key pair: FILE to make tokens with, FILE.pub for gateways')
    .description('Makes a key pair: the private key FILE, to make tokens with, and FILE.pub, for the gateway.')
    .addOption(
      new Option('--out <file>', 'where to write the private key, with mode 0600; nothing is overwritten')
        .env('TUNNELCTL_OUT')
        .makeOptionMandatory(),
    )
    .action(async ({ out }: { out: string }) => {
      const { kid, publicFile } = await writeKeyPair(out)
      say(io, `key ${kid}`)
      say(io, `private half: ${out} (keep it where tokens are made)`)
      say(io, `public half: ${publicFile} (give it to the gateway: --verify-key ${publicFile})`)
    })
}

function addCreate(command: Command, io: Io): void {
  command
    .command('create')
    .summary('make a token and print it on stdout')
    .description('Makes a token and prints it, alone, on stdout.')
    .addOption(
      new Option('--key <file>', 'the private key, as made by keygen').env('TUNNELCTL_KEY').makeOptionMandatory(),
    )
    .addOption(
      new Option('--role <role>', 'who will hold it: connect or agent')
        .choices(['connect', 'agent'])
        .env('TUNNELCTL_ROLE')
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--subject <name>', 'the person or machine it is for').env('TUNNELCTL_SUBJECT').makeOptionMandatory(),
    )
    // What a token may do has to be said, and is never picked up from the environment.
    .option('--agent <name...>', "role agent: its name; role connect: the agents it may use, '*' for all")
    .option('--allow <pattern...>', "role connect: what it may open: api/prod:8080, '*/dev:*', db/prod:5000-5999")
    .addOption(
      new Option('--ttl <duration>', 'how long it is good for: 30m, 8h, 7d').env('TUNNELCTL_TTL').makeOptionMandatory(),
    )
    .action(async ({ key, role, subject, agent = [], allow = [], ttl }: CreateOptions) => {
      const now = Date.now()
      const ttlMs = parseDuration(ttl)
      const privateJwk = await readPrivateKey(key, message => warn(io, message))
      const token = await createToken(privateJwk, { role, subject, agents: agent, allow, ttlMs, now })
      io.stdout.write(`${token}\n`)
      say(io, `a token for role ${role}, subject ${subject}, good for ${until(now + ttlMs, now)}`)
    })
}

function addInspect(command: Command, io: Io): void {
  command
    .command('inspect')
    .summary('show what is in a token')
    .description('Shows what is in a token, as JSON. Its signature is not checked.')
    .addOption(tokenFileOption())
    .addOption(new Option('--token [secret]').hideHelp().argParser(refuseSecret))
    .action(async ({ tokenFile }: { tokenFile?: string }) => {
      const token = await givenToken(tokenFile, io)
      const now = Date.now()
      const report = inspectToken(token, now)
      io.stdout.write(`${toAscii(JSON.stringify(report, null, 2))}\n`)
      say(io, lifetime(report, now))
      if (report.problem === undefined) return
      const { iss } = report.claims
      const unless = typeof iss === 'string' && iss !== tokenIssuer ? ', unless its --oidc-issuer is who made it' : ''
      say(io, `a gateway would refuse it: ${report.problem}${unless}`)
    })
}

function addCheck(command: Command, io: Io): void {
  command
    .command('check')
    .summary('say whether a token allows a target, and by which pattern')
    .description(
      'Says whether a token allows a target, as a gateway would decide. No gateway is asked, and the signature is not checked.',
    )
    .argument('<target>', 'service/namespace:port')
    .addOption(tokenFileOption())
    .addOption(new Option('--token [secret]').hideHelp().argParser(refuseSecret))
    .option('--agent <name>', 'say whether it allows this agent, too')
    .action(async (text: string, { tokenFile, agent }: { tokenFile?: string; agent?: string }) => {
      const target = parseTarget(text)
      const now = Date.now()
      const report = inspectToken(await givenToken(tokenFile, io), now)
      const { agents, rule } = allowing(report, now, target, agent)
      io.stdout.write(`${formatTarget(target)} is allowed by ${rule}, through ${agents.join(', ')}\n`)
      say(io, `${lifetime(report, now)}; the agent may still deny it`)
    })
}

/** @throws TunnelError why the token does not allow it */
function allowing(
  report: TokenReport,
  now: number,
  target: Target,
  agent: string | undefined,
): { readonly agents: readonly string[]; readonly rule: string } {
  const { iss } = report.claims
  if (typeof iss === 'string' && iss !== tokenIssuer) {
    const hint = 'ask the gateway with tunnelctl services'
    throw new TunnelError('USAGE', 'another issuer has made the token: the rules at the gateway say what it allows', {
      hint,
    })
  }
  const principal = principalFromClaims(claimsFromPayload(report.claims))
  if (report.expired) throw new TunnelError('UNAUTHENTICATED', `the token ${lifetime(report, now)}`)
  requireRole(principal, 'connect')
  const { agents, allow } = principal
  if (agent !== undefined && !mayUseAgent(principal, agent)) {
    throw new TunnelError('FORBIDDEN', `the token does not allow agent ${quote(agent)}, but ${agents.join(', ')}`)
  }
  const { allowed, rule = '' } = decideOpen(principal, target)
  if (allowed) return { agents, rule }
  const patterns = allow.map(pattern => pattern.text).join(', ')
  throw new TunnelError('DENIED', `the token does not allow ${formatTarget(target)}, but ${patterns}`)
}

const tokenFileOption = (): Option =>
  new Option('--token-file <file>', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token').env(
    'TUNNELCTL_TOKEN_FILE',
  )

const givenToken = (tokenFile: string | undefined, io: Io): Promise<string> =>
  readToken({ tokenFile, env: io.env, stdin: io.stdin, warn: message => warn(io, message) })

function lifetime({ expiresAt, expired }: TokenReport, now: number): string {
  if (expiresAt === undefined) return 'it does not say when it expires'
  if (expired) return `expired ${formatDuration(now - expiresAt)} ago (${new Date(expiresAt).toISOString()})`
  return `good for ${until(expiresAt, now)}`
}

const until = (at: number, now: number): string => `${formatDuration(at - now)}, until ${new Date(at).toISOString()}`

/** A token may come from anywhere: what is not plain ASCII in it could move the cursor or hide text. */
function toAscii(json: string): string {
  return json.replace(/[\x7f-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function say(io: Io, line: string): void {
  io.stderr.write(`${line}\n`)
}

function warn(io: Io, message: string): void {
  say(io, `warning: ${message}`)
}
