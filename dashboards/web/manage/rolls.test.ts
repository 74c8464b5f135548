import { expect, test } from 'vitest'
import { stands, suggested, type Span, type Step } from './rolls'

const spans: Span[] = [
  { first: 1, last: 400, state: 'bound', printed: true, batch: 'b' },
  { first: 401, last: 500, state: 'printed', printed: true },
  { first: 501, last: 510, state: 'void', printed: true },
  { first: 511, last: 600, state: 'issued', printed: false },
]

test('a step is suggested the codes that it can be done with', () => {
  expect(suggested('print', spans)).toEqual({ first: 511, last: 600 })
  expect(suggested('bind', spans)).toEqual({ first: 401, last: 500 })
  expect(suggested('void', spans)).toEqual({ first: 401, last: 500 })
  expect(suggested('destroy', spans)).toEqual({ first: 501, last: 510 })
  expect(suggested('reprint', spans)).toEqual({ first: 1, last: 400 })
  expect(suggested('print', spans.slice(0, 3))).toBeUndefined()
  expect(suggested('void', spans.slice(3))).toEqual({ first: 511, last: 600 })
  expect(suggested('destroy', spans.slice(0, 2))).toEqual({ first: 401, last: 500 })
})

test('a binding stands until it is taken back', () => {
  const step = (id: string, kind: Step['kind'], withdraws?: string): Step => ({ id, roll: 'r', kind, first: 1, last: 2, account: 'wei', at: '', withdraws })
  const steps = [step('a', 'bind'), step('b', 'bind'), step('c', 'withdraw', 'a'), step('d', 'print')]
  expect(steps.filter((s) => stands(s, steps)).map((s) => s.id)).toEqual(['b'])
})
