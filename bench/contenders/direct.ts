import type { Contender } from './contender.ts'

/** No hop at all: what the machine and the load tools give at most. */
export const direct = (): Contender => ({
  name: 'direct',
  security: 'plain',
  start: async services => ({ ports: services, processes: [], stop: async () => undefined }),
})
