/** Secrets and trust that are one gateway's: with another one none of them is used. */
export const gatewayKeys = [
  'token-file',
  'ca-file',
  'tls-server-name',
  'client-cert',
  'client-key',
  'header-file',
  'allow-plaintext',
] as const

/** What a context may say; each is the flag of that name. */
export const contextKeys = ['gateway', ...gatewayKeys, 'agent', 'namespace'] as const

/** Those that name files. A relative path is one from the configuration's folder. */
export const fileKeys = ['token-file', 'ca-file', 'client-cert', 'client-key', 'header-file'] as const

export type ContextKey = (typeof contextKeys)[number]
export type Context = Readonly<Partial<Record<ContextKey, string>>>
