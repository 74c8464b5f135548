import type { Crypto } from './check'

const fallback = (): Promise<Crypto> => import('./noble')

/** Whether the browser knows Ed25519: any 32 bytes can be imported as a key. */
async function knowsEd25519(subtle: SubtleCrypto): Promise<boolean> {
  try {
    await subtle.importKey('raw', new Uint8Array(32), 'Ed25519', false, ['verify'])
    return true
  } catch {
    return false
  }
}

/**
 * The browser's own cryptography where it has it. Ed25519 came with Safari 17,
 * Firefox 129 and Chrome 137, and a page that came over plain http has no
 * crypto.subtle at all; then a small library is fetched from the same server.
 * Throws where that cannot be had: no check is not a failed check.
 */
export async function pick(subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle): Promise<Crypto> {
  if (!subtle || !(await knowsEd25519(subtle))) return fallback()
  return {
    sha256: async (data) => new Uint8Array(await subtle.digest('SHA-256', data)),
    ed25519: async (key, signature, message) =>
      subtle.verify('Ed25519', await subtle.importKey('raw', key, 'Ed25519', false, ['verify']), signature, message),
  }
}
