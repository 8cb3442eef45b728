/** What a context may say; each is the flag of that name. */
export const contextKeys = ['gateway', 'token-file', 'ca-file', 'allow-plaintext', 'agent', 'namespace'] as const

export type ContextKey = (typeof contextKeys)[number]
export type Context = Readonly<Partial<Record<ContextKey, string>>>
