import assert from 'node:assert/strict'
import { TunnelError } from '../../src/errors.ts'

/** The value in a box, or undefined after a TunnelError PROTOCOL. Any other throw fails the test that calls this. */
export function valueOrViolation<T>(decode: () => T): { readonly value: T } | undefined {
  try {
    return { value: decode() }
  } catch (thrown) {
    if (thrown instanceof TunnelError && thrown.code === 'PROTOCOL') return undefined
    throw thrown
  }
}

export function assertViolation(decode: () => unknown, what?: string): void {
  assert.throws(decode, (thrown: unknown) => thrown instanceof TunnelError && thrown.code === 'PROTOCOL', what)
}
