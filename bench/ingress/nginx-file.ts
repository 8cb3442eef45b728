/** The configuration of one nginx, as a file. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scratch } from '../child.ts'

/**
 * Returns the arguments with which nginx uses it.
 * @param name of its folder
 * @param http what stands in the block of that name
 */
export function nginxFile(name: string, http: readonly string[]): string[] {
  const folder = join(scratch(), name)
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  // Without a master there is one process, and one kill ends it.
  writeFileSync(
    file,
    `daemon off; master_process off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr;
events { worker_connections 8192; }
http {
  access_log off;
  ${temporary.map(each => `${each}_temp_path ${folder}/${each};`).join('\n  ')}
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  ${http.join('\n  ')}
}
`,
  )
  return ['-e', 'stderr', '-p', folder, '-c', file]
}
