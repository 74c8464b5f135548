import { expect, test } from 'vitest'
import type { Series } from '../shared/types'
import { sparkline } from './sparkline'

const level = { sum: false, digits: 1 }
const hour = 3_600_000
const series = (values: [number, number][]): Series => ({
  quantity: 'water.ph', interval: 3600, gaps: [],
  points: values.map(([h, v]) => ({ t: new Date(h * hour).toISOString(), min: v - 1, mean: v, max: v + 1, n: 1 })),
})

test('a line that breaks where nothing was measured', () => {
  const s = sparkline(series([[0, 0], [1, 10], [4, 5], [5, 0]]), level, 0, 10 * hour, 100, 40)
  expect(s).toEqual({ path: 'M0 40L10 0M40 20L50 40', dots: [], min: -1, max: 11 })
})

test('a point between two gaps is a dot', () => {
  expect(sparkline(series([[0, 0], [5, 10]]), level, 0, 10 * hour, 100, 40)!.dots).toEqual([{ x: 0, y: 40 }, { x: 50, y: 0 }])
})

test('what never changes is a level line in the middle', () => {
  expect(sparkline(series([[0, 7], [1, 7]]), level, 0, 10 * hour, 100, 40)!.path).toBe('M0 20L10 20')
})

test('an amount stands on zero', () => {
  const rain = series([[0, 0], [1, 0], [2, 8]])
  expect(sparkline(rain, { sum: true, digits: 1 }, 0, 10 * hour, 100, 40)!.path).toBe('M0 40L10 40L20 0')
  expect(sparkline(series([[0, 0], [1, 0]]), { sum: true, digits: 1 }, 0, 10 * hour, 100, 40)!.path).toBe('M0 40L10 40')
})

test('nothing of before the day, and nothing at all', () => {
  expect(sparkline(series([[0, 7]]), level, 20 * hour, 30 * hour, 100, 40)).toBeUndefined()
  expect(sparkline(series([]), level, 0, hour, 100, 40)).toBeUndefined()
})
