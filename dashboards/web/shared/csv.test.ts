import { expect, test } from 'vitest'
import { csvText } from './csv'

test('rows as spreadsheets read them', () => {
  expect(csvText([['a', 'b'], ['x,y', 'say "no"\nnow'], ['', '三号']])).toBe('\ufeffa,b\r\n"x,y","say ""no""\nnow"\r\n,三号\r\n')
})

test('a name is no formula', () => {
  expect(csvText([['=1+1', '@x', '+2', '-3']])).toBe("\ufeff'=1+1,'@x,'+2,-3\r\n")
})
