/** The command line of a run, as it may be shown to others. */

/** What is about files of one machine. */
const left = ['--json', '--peers-path']

/**
 * What gives the same run on another machine.
 * @param args as the bench got them
 * @param script of package.json
 */
export function commandLine(args: readonly string[], script = 'bench'): string {
  const shown = args.filter((arg, index) => {
    const isValue = left.includes(args[index - 1] ?? '')
    return !isValue && !left.some(option => arg === option || arg.startsWith(`${option}=`))
  })
  const more = shown.length === 0 ? [] : ['--', ...shown.map(quoted)]
  return [`npm run ${script}`, ...more].join(' ')
}

const quoted = (arg: string): string => (/^[\w.,:=-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`)
