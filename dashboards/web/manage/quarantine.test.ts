import { expect, test } from 'vitest'
import { groups, reasonClass } from './quarantine'
import type { Frame } from './types'

test.each([
  ['json at byte 12: unexpected end', 'json at byte …: unexpected end'],
  ['channel "ph2" is none of the model\'s', 'channel "…" is none of the model\'s'],
  ['member "a\\"b" is 12.5', 'member "…" is …'],
  ['unknown device', 'unknown device'],
])('%s', (reason, want) => expect(reasonClass(reason)).toBe(want))

test('largest first, newest first within', () => {
  const f = (seq: number, device: string, reason: string) => ({ seq, device, reason }) as Frame
  const got = groups([f(1, 'a', 'unknown device'), f(2, 'b', 'json at byte 3'), f(3, 'b', 'json at byte 4')])
  expect(got.map((g) => [g.reason, g.frames.map((f) => f.seq), g.devices])).toEqual([
    ['json at byte …', [3, 2], ['b']],
    ['unknown device', [1], ['a']],
  ])
})
