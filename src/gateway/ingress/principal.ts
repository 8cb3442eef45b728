/** Who the ingress is to the relay: it decides itself who may open what, for everybody on whose behalf it opens. */
import { parsePattern } from '../../net/pattern.ts'
import { freezePrincipal, type Principal } from '../principal.ts'

export const ingressPrincipal: Principal = freezePrincipal({
  role: 'connect',
  subject: 'ingress',
  agents: ['*'],
  allow: [parsePattern('*/*:*/tcp')],
  expiresAt: Number.POSITIVE_INFINITY,
  tokenId: '',
})
