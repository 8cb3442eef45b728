import { type Contender, linked } from './contender.ts'

/** No hop at all: what the machine and the load tools give at most. */
export const direct = (): Contender => ({
  name: 'direct',
  security: 'plain',
  about: { hops: 0, transport: 'the connection itself' },
  start: async (services, { link }) => ({
    ports: await linked(services, link),
    processes: [],
    stop: async () => undefined,
  }),
})
