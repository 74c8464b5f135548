import { expect, test } from 'vitest'
import { between, curve, verdict, type Course, type Trip } from './shipments'

const at = (minutes: number) => new Date(Date.UTC(2026, 10, 20) + minutes * 60_000).toISOString()
const trip = (more: Partial<Trip>): Trip => ({ device: 'd', n: 1, rejected: 0, min: 0, mean: 0, max: 0, kinetic: 1, hours: 1, coverage: 1, gaps: [], outside: 0, area: 0, count: 0, excursions: [], ...more })
const course = (more: Partial<Course>): Course => ({ ...trip({}), kept: true, interval: 600, points: [], ...more })

test('limits with one end or two', () => {
  expect(between({ min: 0, max: 4, source: '' })).toBe('0–4 °C')
  expect(between({ max: -18, source: '' })).toBe('≤ -18 °C')
  expect(between({ min: 0, source: '' })).toBe('≥ 0 °C')
})

test('one logger that strayed outweighs one that said nothing, which is not good either', () => {
  expect(verdict([trip({}), trip({})])).toBe('good')
  expect(verdict([trip({}), trip({ kinetic: undefined })])).toBe('unknown')
  expect(verdict([trip({ count: 1 }), trip({ kinetic: undefined })])).toBe('strayed')
  expect(verdict([])).toBe('unknown')
})

test('a curve lies in its box with its limits, breaks at a gap and marks where it strayed', () => {
  const points = [0, 10, 60, 70].map((m) => ({ t: at(m), min: 2, mean: 3, max: m === 60 ? 9 : 4 }))
  const c = curve(course({ points, gaps: [{ from: at(15), to: at(61) }], excursions: [{ from: at(60), to: at(66), above: true, peak: 9, area: 1 }] }), { min: 0, max: 4, source: '' }, Date.parse(at(0)), Date.parse(at(100)), 1000, 100)!
  expect(c.line.match(/M/g)).toHaveLength(2)
  expect([c.low, c.high]).toEqual([-1, 10])
  expect(c.limits).toEqual([90.9, 54.5])
  expect(c.strays).toEqual([{ x: 600, width: 60 }])
  expect(c.line.startsWith('M50 63.6L150 63.6M650')).toBe(true)
})

test('nothing to draw', () => {
  expect(curve(course({}), { max: 4, source: '' }, 0, 1, 10, 10)).toBeUndefined()
})
