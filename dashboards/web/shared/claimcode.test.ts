import { describe, expect, test } from 'vitest'
import { codeLength, groupCode, readCode } from './claimcode'

// From label.NewCode.
const code = 'WY0ME1PW6RTDD'

describe('readCode', () => {
  test.each([
    ['as printed', groupCode(code)],
    ['plain', code],
    ['lower case', code.toLowerCase()],
    ['spaces anywhere', ' ' + [...code].join(' ') + '\n'],
    ['full-width, with a full-width dash and space', [...code].map((c) => String.fromCodePoint(c.codePointAt(0)! + 0xfee0)).join('') + '　－'],
    ['letters for digits', code.replaceAll('0', 'o').replaceAll('1', 'l')],
  ])('%s', (_, typed) => {
    expect(readCode(typed)).toEqual({ state: 'good', code })
  })

  test('nothing, too little, too much', () => {
    expect(readCode('')).toEqual({ state: 'short', count: 0 })
    expect(readCode(code.slice(0, 12))).toEqual({ state: 'short', count: 12 })
    expect(readCode(code + '0')).toEqual({ state: 'long', count: 14 })
  })

  test('a character that no code has', () => {
    expect(readCode('AB-U')).toEqual({ state: 'character', position: 3, char: 'U' })
    expect(readCode('A码')).toEqual({ state: 'character', position: 2, char: '码' })
  })

  test('no single wrong character and no exchange passes', () => {
    for (let i = 0; i < codeLength; i++) {
      for (const c of '0123456789ABCDEFGHJKMNPQRSTVWXYZ') {
        if (c !== code[i]) expect(readCode(code.slice(0, i) + c + code.slice(i + 1)).state).toBe('mistyped')
      }
      const next = i + 1
      if (next < codeLength && code[i] !== code[next]) {
        expect(readCode(code.slice(0, i) + code[next] + code[i] + code.slice(next + 1)).state).toBe('mistyped')
      }
    }
  })
})

test('groups grow as they are typed', () => {
  expect([groupCode(''), groupCode('ABCD'), groupCode('ABCDE'), groupCode(code)]).toEqual(['', 'ABCD', 'ABCD-E', `${code.slice(0, 4)}-${code.slice(4, 8)}-${code.slice(8)}`])
})
