/** The echo service for WebSockets: every message comes back. */
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { serve } from './serve.ts'

const server = createServer((_, response) => response.writeHead(426).end())
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', socket => {
  socket.on('error', () => socket.terminate())
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
})
serve(server)
