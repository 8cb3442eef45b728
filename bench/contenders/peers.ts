/** What the other tunnels are, and how to get them. The bench runs those it finds and skips the others. */

export interface About {
  /** The processes that a byte passes between the developer's program and the service. */
  readonly hops: number
  /** How it crosses a leg. */
  readonly transport: string
  /** What installs it. */
  readonly install?: string
  /** What to know before comparing. */
  readonly note?: string
}

/** By program. */
export const peers = {
  haproxy: {
    hops: 3,
    transport: 'a TCP connection per connection',
    install: 'apt-get install haproxy',
    note: 'all hops in one process of two threads',
  },
  openssh: {
    hops: 3,
    transport: 'channels in one SSH connection, which goes through another as far as the jump host',
    install: 'apt-get install openssh-client openssh-server',
    note: 'encrypted twice up to the jump host; its memory is not seen: sshd leaves connections to children',
  },
  penguin: {
    hops: 2,
    transport: 'streams in one WebSocket',
    install: 'cargo install --locked rusty-penguin@0.8.4',
    note: 'its client knows no reverse remotes (0.8.4): the server reaches the services itself',
  },
  'penguin-twice': {
    hops: 4,
    transport: 'streams in one WebSocket per leg',
    install: 'cargo install --locked rusty-penguin@0.8.4',
    note: 'two tunnels in a row: as many legs as three hops have, with two processes in the middle',
  },
  chisel: {
    hops: 3,
    transport: 'SSH channels in one WebSocket per leg',
    install: 'go install github.com/jpillora/chisel@latest',
    note: 'always encrypted, by its own SSH, and chisel-tls once more; needs 1.12, earlier ones cut half-open connections',
  },
  wstunnel: {
    hops: 3,
    transport: 'a WebSocket per connection',
    install: 'brew install wstunnel',
  },
  frp: {
    hops: 3,
    transport: 'yamux streams in one WebSocket per leg',
    install: 'brew install frps frpc',
    note: 'frp-tls is TLS within the WebSocket: frps takes no wss; cuts half-open connections',
  },
  websocat: {
    hops: 3,
    transport: 'a WebSocket per connection',
    install: 'cargo install --locked websocat@1.14.1',
    note: 'a process per hop and service; opens connections one after the other, with a delayed acknowledgement in each',
  },
  bore: {
    hops: 2,
    transport: 'a TCP connection per connection',
    install: 'cargo install --locked bore-cli',
    note: 'no end at the developer, who dials the server in the middle',
  },
  rathole: {
    hops: 2,
    transport: 'a TCP connection per connection, from a pool',
    install: 'cargo install rathole',
    note: 'no end at the developer, who dials the server in the middle',
  },
} as const satisfies Readonly<Record<string, About>>
