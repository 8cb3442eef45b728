/** Replaced by the build with the version in package.json. */
declare const TUNNELCTL_VERSION: string | undefined

export const version: string = typeof TUNNELCTL_VERSION === 'string' ? TUNNELCTL_VERSION : '0.0.0-source'

/** As told to the other end in HELLO and WELCOME. */
export const software = `tunnelctl/${version}`
