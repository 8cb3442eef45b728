/** Where the configuration lives: the same place on Linux and macOS, as users of kubectl, gh and helm expect. */
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/** `TUNNELCTL_CONFIG`, or `config.yaml` in `$XDG_CONFIG_HOME/tunnelctl` (`%AppData%\tunnelctl` on Windows). */
export function configFile(env: Env): string {
  const { TUNNELCTL_CONFIG: chosen } = env
  if (chosen !== undefined && chosen !== '') return resolve(chosen)
  return join(base(env), 'tunnelctl', 'config.yaml')
}

function base({ XDG_CONFIG_HOME: xdg, APPDATA: appData, HOME: home }: Env): string {
  // A relative path there is to be ignored (XDG Base Directory Specification).
  if (xdg !== undefined && isAbsolute(xdg)) return xdg
  if (process.platform === 'win32' && appData !== undefined) return appData
  return join(home || homedir(), '.config')
}

/** The file that a path in the configuration means: relative ones lie beside it. */
export const besideConfig = (config: string, path: string): string => resolve(dirname(config), path)
