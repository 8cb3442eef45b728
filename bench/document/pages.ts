/** The pages that are made of what the bench measures. */
import { loadTools, type ToolName } from '../tools.ts'

export interface PageFacts {
  /** Below docs/. */
  readonly file: string
  /** What it is made from, below docs/: all of it can be made again from that. */
  readonly digest: string
  /** With which the names of its charts begin. Of a page without one: those that are of no other page. */
  readonly charts: string
  readonly title: string
  /** Of package.json: what measures. */
  readonly script: string
  /** Of `bench:document`: what makes this page. */
  readonly flags: string
  /** A hop, as the page explains it. */
  readonly between: string
  /** What makes the load, and the certificates. */
  readonly tools: readonly (ToolName | 'openssl')[]
}

export const chartsFolder = 'charts'

export const pages = {
  tunnel: {
    file: 'benchmarks.md',
    digest: `${chartsFolder}/benchmarks.json`,
    charts: '',
    title: 'Benchmarks',
    script: 'bench',
    flags: '',
    between: "the developer's program and the service",
    tools: [...loadTools, 'openssl'],
  },
  ingress: {
    file: 'benchmarks-ingress.md',
    digest: `${chartsFolder}/benchmarks-ingress.json`,
    charts: 'ingress-',
    title: 'Benchmarks of the ingress',
    script: 'bench:ingress',
    flags: '--ingress ',
    between: 'the client and the service',
    tools: ['nginx', 'wrk'],
  },
} as const satisfies Readonly<Record<string, PageFacts>>

/** Whether a chart, by its name, is one of this page. */
export const isChartOf = ({ charts }: PageFacts, name: string): boolean =>
  charts === '' ? !name.startsWith(pages.ingress.charts) : name.startsWith(charts)
