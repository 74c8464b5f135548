import { expect, test } from 'vitest'
import { faultOf, periodOf } from './packages'

const at = (s: string) => Date.parse(s)

test('periods are of whole days in Beijing, over the turn of a year', () => {
  const turn = at('2026-01-31T16:30:00Z') // 1 February in Beijing
  expect(periodOf('last_month', turn)).toEqual({ first: '2026-01-01', last: '2026-01-31' })
  expect(periodOf('this_month', turn)).toEqual({ first: '2026-02-01', last: '2026-02-01' })
  expect(periodOf('last_quarter', turn)).toEqual({ first: '2025-10-01', last: '2025-12-31' })
  expect(periodOf('last_year', turn)).toEqual({ first: '2025-01-01', last: '2025-12-31' })
  expect(periodOf('last_month', at('2026-01-31T15:30:00Z'))).toEqual({ first: '2025-12-01', last: '2025-12-31' })
  expect(periodOf('last_month', at('2028-03-31T00:00:00Z'))).toEqual({ first: '2028-02-01', last: '2028-02-29' })
})

test('a period that cannot be says why', () => {
  const now = at('2026-07-01T00:00:00Z')
  expect(faultOf({ first: '2026-06-01', last: '2026-06-30' }, now)).toBe('')
  expect(faultOf({ first: '2026-07-01', last: '2026-07-31' }, now)).toBe('')
  expect(faultOf({ first: '', last: '2026-06-30' }, now)).toBe('missing')
  expect(faultOf({ first: '2026-06-30', last: '2026-06-01' }, now)).toBe('reverse')
  expect(faultOf({ first: '2026-07-02', last: '2026-07-03' }, now)).toBe('future')
  expect(faultOf({ first: '2025-01-01', last: '2026-01-01' }, now)).toBe('')
  expect(faultOf({ first: '2025-01-01', last: '2026-01-02' }, now)).toBe('long')
})
