/** The bench's own load, in a process of its own so that the bench's work never delays a measured reply. */
import { Child } from './child.ts'
import type { jobs } from './processes/jobs.ts'

type Jobs = typeof jobs
type Argument<J extends keyof Jobs> = Parameters<Jobs[J]>[0]
type Result<J extends keyof Jobs> = Awaited<ReturnType<Jobs[J]>>

export class Load {
  #child: Child | undefined

  /**
   * Runs one job of `processes/jobs.ts`; one at a time. Rejects with what the job says, or when it does not answer
   * within `timeoutMs`: its process is then replaced, so that the next job finds a clean one.
   */
  async run<J extends keyof Jobs>(job: J, argument: Argument<J>, timeoutMs = 20_000): Promise<Result<J>> {
    this.#child ??= await start()
    const child = this.#child
    let answer: { result: Result<J> } | { error: string }
    try {
      answer = await child.request({ job, argument }, timeoutMs)
    } catch (error) {
      await this.stop()
      throw error
    }
    if ('error' in answer) throw new Error(answer.error)
    return answer.result
  }

  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    await child?.stop()
  }
}

async function start(): Promise<Child> {
  const child = Child.own('load', 'processes/load.ts')
  await child.message()
  return child
}
