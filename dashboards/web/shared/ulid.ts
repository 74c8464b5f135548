const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ' // Crockford's base 32

/** A new ULID: 48 bits of time, 80 of chance (github.com/ulid/spec). */
export function ulid(at: number = Date.now()): string {
  let time = ''
  for (let i = 0, rest = at; i < 10; i++, rest = Math.floor(rest / 32)) time = digits[rest % 32] + time
  const chance = crypto.getRandomValues(new Uint8Array(16))
  return time + [...chance].map((byte) => digits[byte % 32]).join('')
}
