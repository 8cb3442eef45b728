/**
 * The log of gateway and agent: one line per event, as JSON for machines or short for people, on stderr. Every string is
 * escaped and every secret replaced on the way out (`fields.ts`). pino does the rest, with a synchronous destination, so
 * that the last line before a crash is there.
 */
import { destination, pino, stdTimeFunctions } from 'pino'
import { type FieldOptions, type Shown, showFields } from './fields.ts'
import type { Log, LogFields, LogLevel } from './log.ts'
import { nullLog } from './log.ts'

export type LogFormat = 'json' | 'pretty'

export interface LoggerOptions {
  readonly format: LogFormat
  readonly level: LogLevel
  /** Takes each line, newline included. Default: stderr, synchronously. */
  readonly write?: (line: string) => void
}

type Level = Exclude<LogLevel, 'off'>

/**
 * JSON lines have `level` (a word), `time` (ISO 8601, UTC) and `event` first, then the fields. An `error` field is shown
 * as code, message and hint, with its stack and cause only when `level` is debug. A level that is off costs nothing.
 */
export function createLogger({ format, level, write }: LoggerOptions): Log {
  if (level === 'off') return nullLog
  const lines = write === undefined ? destination({ fd: 2, sync: true }) : { write }
  const out =
    format === 'json' ? lines : { write: (line: string) => void lines.write(prettyLine(JSON.parse(line) as PinoLine)) }
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: {},
    },
    out,
  )
  const options = { stacks: level === 'debug' }
  return bind(
    (at, fields) => logger[at](fields),
    name => logger.isLevelEnabled(name),
    options,
    {},
  )
}

function bind(
  emit: (level: Level, fields: object) => void,
  enabled: (level: Level) => boolean,
  options: FieldOptions,
  bound: { readonly [key: string]: Shown },
): Log {
  const method = (level: Level) =>
    enabled(level)
      ? (event: string, fields?: LogFields) =>
          emit(level, { event, ...bound, ...(fields === undefined ? {} : showFields(fields, options)) })
      : nullLog[level]
  return {
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    child: fields => bind(emit, enabled, options, { ...bound, ...showFields(fields, options) }),
  }
}

interface PinoLine {
  readonly level: string
  readonly time: string
  readonly event: string
  readonly [field: string]: Shown
}

/** `12:03:04 info  registered  agent=prod gateway=wss://gw.example.com`, in local time. */
function prettyLine({ level, time, event, ...fields }: PinoLine): string {
  const clock = new Date(time).toTimeString().slice(0, 8)
  const parts: string[] = []
  const below: string[] = []
  for (const [key, value] of Object.entries(fields)) {
    if (key === 'error' && isObject(value)) {
      const { stack, ...error } = value
      parts.push(`error=${prettyError(error)}`)
      if (Array.isArray(stack)) below.push(...stack.map(frame => `\n    ${String(frame)}`))
    } else parts.push(`${key}=${prettyValue(value)}`)
  }
  const tail = parts.length === 0 ? '' : `  ${parts.join(' ')}`
  return `${clock} ${level.padEnd(5)} ${event}${tail}${below.join('')}\n`
}

function prettyError({ code, message, hint, cause }: { [key: string]: Shown }): string {
  const what = `${code === undefined ? '' : `${String(code)} `}${JSON.stringify(message)}`
  const why = isObject(cause ?? null) ? ` cause=${prettyError(cause as { [key: string]: Shown })}` : ''
  return hint === undefined ? what + why : `${what} (${String(hint)})${why}`
}

function prettyValue(value: Shown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value
  return JSON.stringify(value)
}

function isObject(value: Shown | undefined): value is { [key: string]: Shown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
