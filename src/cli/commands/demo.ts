/** `tunnelctl demo`: the main job on this machine, told in a few lines; with `--keep`, left running to play with. */
import { Command, Option } from 'commander'
import { delay, systemClock } from '../../clock.ts'
import { asTunnelError, TunnelError } from '../../errors.ts'
import { createLogger } from '../../observe/logger.ts'
import { failed } from '../demo/child.ts'
import { withForwards } from '../demo/forwards.ts'
import { keepPlaying } from '../demo/keep.ts'
import type { Story } from '../demo/page.ts'
import { serveSample } from '../demo/service.ts'
import { Stage } from '../demo/stage.ts'
import { play, publishStory, tell } from '../demo/story.ts'
import type { Io } from '../io.ts'
import { shutdownOnSignals } from '../signals.ts'

const DEADLINE_MS = 60_000
const DIAGNOSIS_MS = 200

export function demoCommand(io: Io): Command {
  return new Command('demo')
    .description(
      'Starts a gateway, an agent and a sample service on this machine, forwards to the service, sends data both ways, ' +
        'kills the gateway in the middle of it, and tells how that went. It needs nothing and leaves nothing behind.',
    )
    .addOption(new Option('--keep', 'then leave it running, with a URL to try, until Ctrl-C'))
    .addOption(new Option('--serve', 'be the sample service of another demo').hideHelp())
    .action(async ({ keep = false, serve = false }: { keep?: boolean; serve?: boolean }) => {
      if (serve) await beService()
      else await run(keep, io)
    })
}

async function beService(): Promise<void> {
  const shutdown = shutdownOnSignals()
  try {
    await serveSample(shutdown.signal, createLogger({ format: 'json', level: 'info' }))
  } finally {
    shutdown.release()
  }
}

async function run(keep: boolean, io: Io): Promise<void> {
  const end = new AbortController()
  const interrupt = () => end.abort(new TunnelError('INTERRUPTED', 'interrupted'))
  const shutdown = shutdownOnSignals()
  shutdown.signal.addEventListener('abort', interrupt)
  // A reader that has gone away, as `head` does, or a terminal: there is nobody left to show anything to.
  for (const output of [io.stdout, io.stderr]) output.on('error', interrupt)
  const deadline = setTimeout(() => end.abort(failed(`not done after ${DEADLINE_MS / 1000} s`)), DEADLINE_MS)
  let told = false
  const stage = new Stage((child, why) => {
    if (told && child.name === 'gateway') void stage.startGateway().catch(thrown => end.abort(thrown))
    else end.abort(why)
  })
  const { signal } = end
  try {
    io.stderr.write('starting a gateway, an agent and a sample service on this machine\n')
    await Promise.race([stage.open(), aborted(signal)])
    const { ports, story } = await withForwards({ stage, io, signal }, async forwards => {
      const story = tell(await play(stage, forwards, signal))
      await publishStory(forwards, story, signal)
      return { ports: forwards.ports, story }
    })
    clearTimeout(deadline)
    told = true
    io.stdout.write(paragraph(story))
    if (keep) await keepPlaying({ stage, io, ports, signal })
    else io.stdout.write('With --keep all of this is left running, for you to try.\n')
  } catch (thrown) {
    // A process that has died says more than the connections that broke with it.
    if (!signal.aborted) await delay(systemClock, DIAGNOSIS_MS, signal)
    const error = asTunnelError(signal.aborted ? signal.reason : thrown)
    if (error.code === 'INTERRUPTED') {
      if (told) return
      throw error
    }
    throw error.exitCode === 1 ? error : failed(error.message, error)
  } finally {
    clearTimeout(deadline)
    await stage.close()
    shutdown.release()
  }
}

function paragraph(story: Story): string {
  const width = Math.max(...story.map(([label]) => label.length))
  return `\n${story.map(([label, sentence]) => `  ${label.padEnd(width)}  ${sentence}\n`).join('')}\n`
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
