import { expect, test } from 'vitest'
import { show } from './payload'

const base64 = (...bytes: number[]) => btoa(String.fromCharCode(...bytes))
const text = (s: string) => base64(...new TextEncoder().encode(s))

test.each([
  ['JSON', text('{"t":1,"site":"塘"}'), { kind: 'json', text: '{\n  "t": 1,\n  "site": "塘"\n}' }],
  ['broken JSON', text('{"t":1,'), { kind: 'text', text: '{"t":1,' }],
  ['lines', text('a 1\nb\t2\n'), { kind: 'text', text: 'a 1\nb\t2\n' }],
  ['nothing', '', { kind: 'empty', text: '' }],
  ['bytes that are no UTF-8', base64(0xff, 0x41), { kind: 'hex', text: '0000  ff 41' }],
  ['text with a zero', base64(0x41, 0), { kind: 'hex', text: '0000  41 00' }],
  ['two lines', base64(...Array.from({ length: 17 }, () => 0x80)), { kind: 'hex', text: `0000  ${Array(16).fill('80').join(' ')}\n0010  80` }],
])('%s', (_, payload, want) => expect(show(payload)).toEqual(want))
