/** `tunnelctl token`: makes key pairs, makes tokens, shows what is in one. */
import { Command, CommanderError, Option } from 'commander'
import { TunnelError } from '../../errors.ts'
import type { Role } from '../../net/claims.ts'
import { formatDuration, parseDuration } from '../../net/duration.ts'
import { redactTokens } from '../../net/quote.ts'
import { readPrivateKey, writeKeyPair } from '../../token/keys.ts'
import { readToken } from '../../token/secret.ts'
import { createToken, inspectToken, type TokenReport } from '../../token/token.ts'
import type { Io } from '../io.ts'

interface CreateOptions {
  readonly key: string
  readonly role: Role
  readonly subject: string
  readonly agent?: readonly string[]
  readonly allow?: readonly string[]
  readonly ttl: string
}

/** Throws TunnelError or CommanderError out of `parseAsync`; never ends the process. */
export function tokenCommand(io: Io): Command {
  const command = new Command('token')
    .description('make key pairs and tokens, and look into a token')
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
  return command
}

function addKeygen(command: Command, io: Io): void {
  command
    .command('keygen')
    .description('write a new private key to FILE (mode 0600) and its public half to FILE.pub')
    .addOption(
      new Option('--out <file>', 'where to write; nothing is overwritten').env('TUNNELCTL_OUT').makeOptionMandatory(),
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
    .description('make a token and print it, alone, on stdout')
    .addOption(new Option('--key <file>', 'the private key from keygen').env('TUNNELCTL_KEY').makeOptionMandatory())
    .addOption(
      new Option('--role <role>', 'who will hold it')
        .choices(['connect', 'agent'])
        .env('TUNNELCTL_ROLE')
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--subject <name>', 'the person or machine it is for').env('TUNNELCTL_SUBJECT').makeOptionMandatory(),
    )
    // What a token may do has to be said, and is never picked up from the environment.
    .option('--agent <name...>', "role agent: its name; role connect: the agents it may use, '*' for all")
    .option('--allow <pattern...>', "role connect: what it may open, as api/prod:8080, '*/dev:*' or db/prod:5000-5999")
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
    .description('show what is in a token, as JSON; its signature is not checked')
    .addOption(
      new Option('--token-file <file>', 'the file that holds it, - for stdin; else TUNNELCTL_TOKEN').env(
        'TUNNELCTL_TOKEN_FILE',
      ),
    )
    .addOption(new Option('--token [secret]').hideHelp().argParser(refuseSecret))
    .action(async ({ tokenFile }: { tokenFile?: string }) => {
      const { env, stdin } = io
      const token = await readToken({ tokenFile, env, stdin, warn: message => warn(io, message) })
      const now = Date.now()
      const report = inspectToken(token, now)
      io.stdout.write(`${toAscii(JSON.stringify(report, null, 2))}\n`)
      say(io, lifetime(report, now))
      if (report.problem !== undefined) say(io, `a gateway would refuse it: ${report.problem}`)
    })
}

function lifetime({ expiresAt, expired }: TokenReport, now: number): string {
  if (expiresAt === undefined) return 'it does not say when it expires'
  if (expired) return `expired ${formatDuration(now - expiresAt)} ago (${new Date(expiresAt).toISOString()})`
  return `good for ${until(expiresAt, now)}`
}

const until = (at: number, now: number): string => `${formatDuration(at - now)}, until ${new Date(at).toISOString()}`

function refuseSecret(): never {
  throw new TunnelError('USAGE', 'a token is never given as an argument, which every process can read', {
    hint: 'give --token-file FILE (- for stdin) or set TUNNELCTL_TOKEN',
  })
}

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
