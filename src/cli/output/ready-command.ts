/** What one would type next: a guess by the port, to be copied. */
import type { ForwardSnapshot } from '../../connect/events.ts'

type Words = (host: string, port: string) => string

const byPort: Readonly<Record<string, Words>> = {
  22: (host, port) => `ssh -p ${port} ${host}`,
  53: (host, port) => `dig @${host} -p ${port}`,
  80: (host, port) => `curl http://${host}:${port}/`,
  443: (host, port) => `curl https://${host}:${port}/`,
  3000: (host, port) => `curl http://${host}:${port}/`,
  3306: (host, port) => `mysql -h ${host} -P ${port}`,
  5432: (host, port) => `psql -h ${host} -p ${port}`,
  6379: (host, port) => `redis-cli -h ${host} -p ${port}`,
  8080: (host, port) => `curl http://${host}:${port}/`,
  9090: (host, port) => `curl http://${host}:${port}/metrics`,
  27017: (host, port) => `mongosh mongodb://${host}:${port}/`,
  http: (host, port) => `curl http://${host}:${port}/`,
  https: (host, port) => `curl https://${host}:${port}/`,
  postgres: (host, port) => `psql -h ${host} -p ${port}`,
  socks5: (host, port) => `curl --proxy socks5h://${host}:${port} http://SERVICE.NAMESPACE/`,
}

/** The address alone where the port says nothing. */
export function readyCommand({ local, target }: ForwardSnapshot): string {
  const [, host, port] = /^(.*):([0-9]+)$/.exec(local) ?? []
  const [, name] = /:([a-z0-9-]+)(?:\/udp)?$/.exec(target) ?? []
  if (host === undefined || port === undefined) return local
  return byPort[name ?? target]?.(host.replace(/^\[|\]$/g, ''), port) ?? local
}
