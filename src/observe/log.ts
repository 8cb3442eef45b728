/**
 * What every part may say about itself while it runs. The interface stands apart from `logger.ts`, which loads pino, so
 * that `connect` and the core can take a log without paying for one.
 */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'off'

/** Fields of a line. An `error` may be anything that was thrown. Keys are ours; values may come from anybody. */
export type LogFields = object

/** One line per call: an event (a fixed word or two of ours, never text from the wire) and its fields. */
export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** The same log with these fields on every line. */
  child(fields: LogFields): Log
}

const nothing = () => {}

/** Says nothing, at no cost. */
export const nullLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => nullLog }
