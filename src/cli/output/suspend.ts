/** Ctrl-Z, `fg` and the end of the process, for whoever has hidden the cursor of a terminal that others will use. */

export interface Watcher {
  /** The process is about to stop, or to end. */
  leave(): void
  /** The process goes on; others have written to the terminal meanwhile. */
  comeBack(): void
}

type Process = Pick<NodeJS.Process, 'on' | 'off' | 'kill' | 'pid' | 'platform'>

/** Returns the function that ends the watching. */
export function watchSuspend(watcher: Watcher, subject: Process = process): () => void {
  const exit = () => watcher.leave()
  const stop = () => {
    watcher.leave()
    subject.kill(subject.pid, 'SIGSTOP')
  }
  const goOn = () => watcher.comeBack()
  subject.on('exit', exit)
  if (subject.platform === 'win32') return () => void subject.off('exit', exit)
  subject.on('SIGTSTP', stop)
  subject.on('SIGCONT', goOn)
  return () => {
    subject.off('exit', exit)
    subject.off('SIGTSTP', stop)
    subject.off('SIGCONT', goOn)
  }
}
