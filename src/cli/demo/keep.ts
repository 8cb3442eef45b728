/** After the story: everything stays up, with lines to try it by hand. */

import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type ForwardsOptions, type Ports, withForwards } from './forwards.ts'
import type { Stage } from './stage.ts'

/** Runs until `signal` aborts, and then throws its reason. */
export async function keepPlaying(options: ForwardsOptions & { readonly ports: Ports }): Promise<void> {
  const { stage, io, ports, signal } = options
  io.stdout.write(linesToTry(stage, ports))
  await withForwards(options, async () => {
    if (!signal.aborted) await once(signal, 'abort')
    throw signal.reason
  })
}

function linesToTry({ url, connectTokenFile, gatewayPid }: Stage, { web, echo }: Ports): string {
  const joint = process.platform === 'win32' ? ' ' : ' \\\n    '
  return `It runs on, until Ctrl-C:

  http://127.0.0.1:${web}/
      the page of the sample service, for a browser or curl
  curl telnet://127.0.0.1:${echo}
      type something, and it comes back; meanwhile
  kill -9 ${gatewayPid}
      ends the gateway. It is started again, and your connection goes on.
  ${programWord()} connect web/demo:80${joint}--gateway ${url} --token-file ${connectTokenFile}
      a connect of your own, in another terminal

`
}

/** This program, as a word or two for the user's shell. */
function programWord(): string {
  const [, program = ''] = process.argv
  if (process.env.npm_command === undefined && program === onPath('tunnelctl')) return 'tunnelctl'
  const quoted = /^[\w./:@\\-]+$/.test(program) ? program : `"${program}"`
  return program.endsWith('.js') ? `node ${quoted}` : quoted
}

function onPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder, name))
    .find(file => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
