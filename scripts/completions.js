// Makes completions/ anew from the command tree: node --import tsx scripts/completions.js
import { mkdirSync, writeFileSync } from 'node:fs'
import { completionScript } from '../src/cli/completion/generate.ts'
import { scriptFiles, shells } from '../src/cli/completion/shells.ts'
import { wholeProgram } from '../src/cli/program.ts'

const program = await wholeProgram(process)
const folder = new URL('../completions/', import.meta.url)
mkdirSync(folder, { recursive: true })
for (const shell of shells) writeFileSync(new URL(scriptFiles[shell], folder), completionScript(shell, program))
