/** Reads what somebody put into a small file or a pipe, a token or a key, without trusting its size. */
import { type FileHandle, open } from 'node:fs/promises'
import { type ErrorCode, TunnelError } from '../errors.ts'

export interface SmallText {
  readonly text: string
  /** The permission bits when group or others may read the file, for a warning; never set for a pipe or on Windows. */
  readonly openMode?: string
}

/**
 * The text of `file`, which may be a named pipe. At most `maxBytes` are read.
 * @throws TunnelError `code` in one line that names the file and never shows its content
 */
export async function readSmallFile(file: string, maxBytes: number, code: ErrorCode): Promise<SmallText> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file, 'r')
    const stat = await handle.stat()
    const text = await readSmallStream(handle.createReadStream({ end: maxBytes, autoClose: false }), maxBytes)
    if (text === undefined) throw new TunnelError(code, `${file} is over ${Math.ceil(maxBytes / 1024)} KiB`)
    const { getuid, getgid } = process
    // Without them this is Windows, where the bits mean nothing.
    const shared = stat.isFile() && getuid && getgid && isShared(stat, { uid: getuid(), gid: getgid() })
    return shared ? { text, openMode: (stat.mode & 0o777).toString(8).padStart(4, '0') } : { text }
  } catch (thrown) {
    if (thrown instanceof TunnelError) throw thrown
    throw new TunnelError(code, `cannot read ${file}: ${explainFileError(thrown)}`, { cause: thrown })
  } finally {
    await handle?.close()
  }
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * Whether others than `self` may read a file for no reason. A file of somebody else's that only the group of this process may read
 * is meant for this process: so are secrets handed to the pods of Kubernetes.
 */
export function isShared({ mode, uid, gid }: Owner & { readonly mode: number }, self: Owner): boolean {
  if ((mode & 0o004) !== 0) return true
  return (mode & 0o040) !== 0 && !(uid !== self.uid && gid === self.gid)
}

/** The whole text of `stream`, or undefined when it is longer than `maxBytes`; then the rest is left unread. */
export async function readSmallStream(
  stream: AsyncIterable<Uint8Array | string>,
  maxBytes: number,
): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk as Uint8Array)
    length += bytes.length
    if (length > maxBytes) return undefined
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Why the file system refused, in words. */
export function explainFileError(thrown: unknown): string {
  const code = (thrown as NodeJS.ErrnoException).code ?? ''
  return fileErrors.get(code) ?? (code === '' ? 'unknown failure' : code)
}

const fileErrors = new Map([
  ['ENOENT', 'no such file or directory'],
  ['ENOTDIR', 'no such file or directory'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EISDIR', 'it is a directory'],
  ['EEXIST', 'the file exists'],
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'the disk is full'],
  ['ENAMETOOLONG', 'the name is too long'],
])
