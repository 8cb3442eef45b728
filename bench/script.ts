/** What the scripts of the bench do the same way: how they end, and where what they say goes. */
import { writeFileSync } from 'node:fs'
import type { Comparison } from './comparison.ts'
import { formatJson, formatText, type Setting } from './report.ts'

export function exitOnSignals(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => process.exit(code))
  }
}

/** What goes on. */
export const say = (text: string): void =>
  void process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`)

/** @param json the file for it; `-` is stdout, and the table then goes to stderr */
export function writeReport(setting: Setting, comparison: Comparison, json: string | undefined): void {
  const text = formatText(setting, comparison)
  if (json === '-') {
    process.stderr.write(text)
    writeFileSync(1, formatJson(setting, comparison))
  } else {
    writeFileSync(1, text)
    if (json !== undefined) writeFileSync(json, formatJson(setting, comparison))
  }
}
