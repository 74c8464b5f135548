import { expect, test } from 'vitest'
import { needsFrom, rest, sum, type Made } from './batches'

const made = (more: Partial<Made>): Made => ({ product: 'tea', lot: '1', quantity: 10, unit: 'kg', from: '', ...more })

test('decimals add up as people expect', () => {
  expect(sum([0.1, 0.2])).toBe(0.3)
  expect(sum([1, '', 2])).toBe(3)
})

test('another product or unit says what became it', () => {
  expect(needsFrom(made({}), 'tea', 'kg')).toBe(false)
  expect(needsFrom(made({ product: 'blend' }), 'tea', 'kg')).toBe(true)
  expect(needsFrom(made({ unit: '{bag}' }), 'tea', 'kg')).toBe(true)
})

test('the rest is what is not accounted for', () => {
  expect(rest([10, 5], [made({}), made({ quantity: 4 })], 1, 'tea', 'kg')).toBe(0)
  expect(rest([100], [made({ product: 'dry', quantity: 24, from: 96 })], '', 'tea', 'kg')).toBe(4)
  expect(rest([0.3], [made({ quantity: 0.1 }), made({ quantity: 0.2 })], '', 'tea', 'kg')).toBe(0)
})
