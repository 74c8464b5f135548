import { expect, test } from 'vitest'
import { problemGroups, spans } from './problems'

test.each([
  [[], ''],
  [[4], '4'],
  [[2, 3, 4, 9, 7, 3], '2–4, 7, 9'],
  [Array.from({ length: 12 }, (_, i) => 2 * i), '0, 2, 4, 6, 8, 10, 12, 14, 16, 18 …'],
])('%s', (numbers, want) => expect(spans(numbers)).toBe(want))

test('one kind of problem in one column is one', () => {
  const early = (line: number) => ({ line, reason: `device a was not installed at any site at 2026-07-31T16:0${line}:00Z` })
  const got = problemGroups([early(2), { line: 3, column: '水温', reason: '"坏了" is not a number' }, early(3), early(5), { line: 6, column: 'pH', reason: '"x" is not a number' }])
  expect(got.map((g) => [g.first.column, g.lines, g.count])).toEqual([
    [undefined, '2–3, 5', 3],
    ['水温', '3', 1],
    ['pH', '6', 1],
  ])
})
