import { Child } from '../child.ts'
import { madeOf, starting } from '../contenders/contender.ts'
import { listening, withFreePorts } from '../port.ts'
import { nginxFile } from './nginx-file.ts'

const hops = 3

/** Three nginx, a process each, which keep connections to the next and pass upgrades. Bodies go through as they come. */
export const nginx = madeOf(
  ['nginx'],
  {
    name: 'nginx',
    security: 'plain',
    about: {
      hops,
      transport: 'HTTP/1.1 from proxy to proxy, connections kept',
      install: 'apt-get install nginx',
      note: 'a process of one thread for each hop',
    },
  },
  (paths, services) =>
    withFreePorts(hops * Object.keys(services).length, free =>
      starting(async processes => {
        const listeners = free[Symbol.iterator]()
        let ports = services
        for (let hop = hops; hop >= 1; hop--) {
          const ways = Object.entries(ports).map(([name, next]) => ({
            name,
            next,
            listen: listeners.next().value ?? 0,
          }))
          const blocks = ways.flatMap(({ name, next, listen }) => [upstream(name, next), server(name, listen)])
          const child = new Child(
            `nginx ${hop}`,
            paths.nginx,
            nginxFile(`hop-${hop}-${free[0]}`, [...common, ...blocks]),
          )
          processes.unshift(child)
          for (const { listen } of ways) await listening(child, listen)
          ports = Object.fromEntries(ways.map(({ name, listen }) => [name, listen]))
        }
        return { ports }
      }),
    ),
)

const common = [
  'map $http_upgrade $connection_upgrade { default upgrade; "" ""; }',
  'client_max_body_size 0;',
  'proxy_http_version 1.1;',
  'proxy_set_header Host $host;',
  'proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Connection $connection_upgrade;',
  'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
  'proxy_request_buffering off;',
  'proxy_max_temp_file_size 0;',
  'proxy_read_timeout 1h;',
]

const upstream = (name: string, port: number): string =>
  `upstream ${name} { server 127.0.0.1:${port}; keepalive 256; keepalive_requests 1000000000; }`

const server = (name: string, port: number): string =>
  `server { listen 127.0.0.1:${port} backlog=4096; location / { proxy_pass http://${name}; } }`
