import { expect, test } from 'vitest'
import { diff } from './diff'

const marks = { same: ' ', gone: '-', new: '+' }
const told = (a: string, b: string) => diff(a, b).map((l) => marks[l.kind] + l.text)

test.each([
  ['nothing', '', '', []],
  ['the same', 'a\nb\n', 'a\nb', [' a', ' b']],
  ['a line changed', 'a\nb\nc', 'a\nx\nc', [' a', '-b', '+x', ' c']],
  ['added at the end', 'a\n', 'a\nb\n', [' a', '+b']],
  ['all new', '', 'a\nb', ['+a', '+b']],
  ['all gone', 'a', '', ['-a']],
  ['moved', 'a\nb\nc', 'b\nc\na', ['-a', ' b', ' c', '+a']],
  ["another system's line ends", 'a\r\nb\r\n', 'a\nb\n', [' a', ' b']],
])('%s', (_, a, b, want) => expect(told(a, b)).toEqual(want))
