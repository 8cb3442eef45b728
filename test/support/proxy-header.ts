/** Headers of the PROXY protocol, as a load balancer sends them. */

/** Version 2: any command, family and rest. */
export function proxyV2(command: number, family: number, rest: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(rest.length)
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([command, family]), length, rest])
}

/** Clients 192.0.2.1 and 2001:db8::1, as version 1 and 2 tell them. */
export const v1Header = Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n')
export const v2Header = proxyV2(
  0x21,
  0x21,
  Buffer.concat([Buffer.from('20010db8000000000000000000000001', 'hex'), Buffer.alloc(16, 1), Buffer.alloc(4, 1)]),
)
