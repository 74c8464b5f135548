// The fallback for browsers without Ed25519 or without crypto.subtle.
import { hashes, verify } from '@noble/ed25519'
import { sha256 as hash256, sha512 } from '@noble/hashes/sha2.js'
import type { Bytes } from './check'

hashes.sha512 = sha512

const own = (data: Uint8Array) => new Uint8Array(data)

export const sha256 = async (data: Bytes): Promise<Bytes> => own(hash256(data))

// Strict as RFC 8032 §5.1.7, like WebCrypto and Go, not as ZIP 215.
export const ed25519 = async (key: Bytes, signature: Bytes, message: Bytes): Promise<boolean> => {
  try {
    return verify(signature, message, key, { zip215: false })
  } catch {
    return false
  }
}
