/** What a context may say; each is the flag of that name. */
export const contextKeys = [
  'gateway',
  'token-file',
  'ca-file',
  'tls-server-name',
  'client-cert',
  'client-key',
  'header-file',
  'allow-plaintext',
  'agent',
  'namespace',
] as const

/** Those that name files. A relative path is one from the configuration's folder. */
export const fileKeys = ['token-file', 'ca-file', 'client-cert', 'client-key', 'header-file'] as const

export type ContextKey = (typeof contextKeys)[number]
export type Context = Readonly<Partial<Record<ContextKey, string>>>
