/** How V8 collects garbage in the roles that run for long. */
import { setFlagsFromString } from 'node:v8'

/**
 * Marks in one go when the heap is full, not in steps before it is. Every read of a socket is a buffer outside of the heap; V8
 * counts those that outlive a collection, and on a heap of a few megabytes begins to mark anew each tenth of a second, on threads
 * that take the processor from the tunnel (docs/decisions/0015). Call it before anything is allocated in earnest.
 */
export function collectAtOnce(): void {
  setFlagsFromString('--no-incremental-marking')
}
