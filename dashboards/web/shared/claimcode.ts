// The code on the label of a new device, as people type it: trace/label.ParseCode
// in the browser, so that a typing error costs none of the few guesses.

/** Characters of a code, the check character included. */
export const codeLength = 13

/** Crockford's base 32: no I, L, O and U. A character's place is its value. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

export type CodeReading =
  | { state: 'good'; code: string }
  | { state: 'short' | 'long'; count: number }
  | { state: 'character'; position: number; char: string } // one that no code has; the first is 1
  | { state: 'mistyped' } // the check character does not fit

/** Reads a code in any case, with or without hyphens and spaces, I and L as 1, O as 0,
 *  and in the full-width forms that Chinese keyboards type. */
export function readCode(typed: string): CodeReading {
  let code = ''
  for (const raw of typed) {
    const c = plain(raw)
    if (/[-‐‑–—−_\s]/.test(c)) continue
    if (!alphabet.includes(c)) return { state: 'character', position: code.length + 1, char: raw }
    code += c
  }
  if (code.length !== codeLength) return { state: code.length < codeLength ? 'short' : 'long', count: code.length }
  const sum = [...code].reduce((sum, c) => double(sum) ^ alphabet.indexOf(c), 0)
  return sum === 0 ? { state: 'good', code } : { state: 'mistyped' }
}

/** Writes what was typed so far in the groups that are printed: "ABCD-EFGH-JKMNP". */
export function groupCode(code: string): string {
  return [code.slice(0, 4), code.slice(4, 8), code.slice(8)].filter(Boolean).join('-')
}

function plain(c: string): string {
  const half = c >= '！' && c <= '～' ? String.fromCodePoint(c.codePointAt(0)! - 0xfee0) : c
  const upper = half.toUpperCase()
  return upper === 'I' || upper === 'L' ? '1' : upper === 'O' ? '0' : upper
}

/** Multiplies by α in GF(32) with α⁵ = α² + 1, as trace/label does. */
function double(v: number): number {
  return (v << 1) ^ (v & 16 ? 0b100101 : 0)
}
