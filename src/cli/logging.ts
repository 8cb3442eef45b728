/** The log flags of the roles that run as services. */
import type { Option } from 'commander'
import type { Log, LogLevel } from '../observe/log.ts'
import { createLogger } from '../observe/logger.ts'
import type { Io } from './io.ts'
import { option } from './options.ts'

export interface LogFlags {
  readonly logFormat?: 'json' | 'pretty'
  readonly logLevel: LogLevel
}

export const logOptions = (): Option[] => [
  option('--log-format <format>', 'json or pretty; default: pretty on a terminal, else json').choices([
    'json',
    'pretty',
  ]),
  option('--log-level <level>', 'debug, info, warn, error or off')
    .choices(['debug', 'info', 'warn', 'error', 'off'])
    .default('info'),
]

export function loggerFrom({ logFormat, logLevel }: LogFlags, { stderr }: Io): Log {
  return createLogger({ format: logFormat ?? (stderr.isTTY ? 'pretty' : 'json'), level: logLevel })
}
