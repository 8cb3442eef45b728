/** Headers of the PROXY protocol, as a load balancer sends them. */

/** Version 2: any command, family and rest. */
export function proxyV2(command: number, family: number, rest: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(rest.length)
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([command, family]), length, rest])
}
