/** The echo service: every byte comes back. */
import { createServer } from 'node:net'
import { serve } from './serve.ts'

serve(
  createServer({ noDelay: true, allowHalfOpen: true }, socket => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  }),
)
