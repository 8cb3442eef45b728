/** The name that a request is for: `Host`, `:authority` of the request line, or SNI, in the one form that everything is compared in. */

/** A DNS name or an IPv4 address, or an IPv6 address in brackets; with a port or without (RFC 9110, 7.2). */
const AUTHORITY = /^(?:([a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?)\.?|(\[[0-9a-f:.]{2,45}\]))(?::[0-9]{1,5})?$/i

/** Without port and final dot, in lower case; undefined for what is no authority. */
export function hostOf(authority: string): string | undefined {
  const [, name, address] = AUTHORITY.exec(authority) ?? []
  return (name ?? address)?.toLowerCase()
}
