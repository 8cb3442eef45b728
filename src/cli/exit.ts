/** Ends a command line with an exit code that is no failure of tunnelctl's own: nothing is printed. */
export class ExitWith extends Error {
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`)
    this.exitCode = exitCode
  }
}
