import { describe, expect, test } from 'vitest'
import { amount, csv, extent, goodShare, LiveSeries, percent, rows } from './series'
import type { Observation, Point, Series } from './types'

const minute = (n: number) => new Date(Date.parse('2026-11-23T08:00:00Z') + n * 60_000).toISOString()
const point = (n: number, mean = n): Point => ({ t: minute(n), min: mean - 1, mean, max: mean + 1, n: 2 })
const series = (points: Point[], gaps: [number, number][] = []): Series => ({
  quantity: 'water.ph', interval: 60, points, gaps: gaps.map(([from, to]) => ({ from: minute(from), to: minute(to) })),
})
const means = (s: Series) => rows(s).map((row) => row.point?.mean ?? null)

describe('rows', () => {
  test.each([
    ['neighbours are joined', series([point(1), point(2), point(3)]), [1, 2, 3]],
    ['a device slower than the intervals is one line', series([point(1), point(3), point(18)]), [1, 3, 18]],
    ['a gap from reading to reading breaks it', series([point(1), point(18)], [[1.5, 18.3]]), [1, null, 18]],
    ['a gap before or after does not', series([point(10), point(20)], [[1, 10.2], [20.1, 40]]), [10, 20]],
    ['a long silence breaks it once', series([point(1), point(60)]), [1, null, 60]],
    ['a gap of the server breaks it', series([point(1), point(2.4)], [[2, 2.4]]), [1, null, 2.4]],
    ['a gap elsewhere does not', series([point(1), point(2)], [[5, 9]]), [1, 2]],
    ['nothing', series([], [[0, 9]]), []],
  ])('%s', (_, s, want) => expect(means(s)).toEqual(want))

  test('the break lies between the points', () => {
    const [a, gap, b] = rows(series([point(1), point(60)]))
    expect(a!.time < gap!.time && gap!.time < b!.time).toBe(true)
  })
})

describe('live readings', () => {
  const since = Date.parse(minute(3))
  const seen = (n: number, value: number, device = 'd1', flag: 1 | 3 | 4 | 9 = 1): Observation => ({
    device, tenant: 't', site: 's', time: minute(n), server_time: false, readings: [{ quantity: 'water.ph', value, flag }],
  })

  test('go on where the server ended', () => {
    const live = new LiveSeries(series([point(1), point(2)]), since)
    expect(live.add(seen(3.2, 7))).toBe(true)
    expect(live.add(seen(3.8, 9))).toBe(true)
    expect(live.add(seen(5.1, 8))).toBe(true)
    expect(live.series.points.slice(2)).toEqual([
      { t: minute(3), min: 7, mean: 8, max: 9, n: 2 },
      { t: minute(5), min: 8, mean: 8, max: 8, n: 1 },
    ])
    expect(means(live.series)).toEqual([1, 2, 8, 8])
  })

  test('join the last interval of the server', () => {
    const live = new LiveSeries(series([point(1), point(3, 8)]), since)
    live.add(seen(3.5, 11))
    expect(live.series.points.at(-1)).toEqual({ t: minute(3), min: 7, mean: 9, max: 11, n: 3 })
  })

  test('count once, however often they come', () => {
    const live = new LiveSeries(series([point(2)]), since)
    live.add(seen(3.5, 8))
    expect(live.add(seen(3.5, 8))).toBe(false)
    expect(live.add(seen(3.5, 8, 'd2'))).toBe(true)
    expect(live.series.points.at(-1)!.n).toBe(2)
  })

  test('late ones go where they belong', () => {
    const live = new LiveSeries(series([point(2)]), since)
    live.add(seen(6, 8))
    live.add(seen(4, 7))
    expect(live.series.points.map((p) => p.t)).toEqual([minute(2), minute(4), minute(6)])
  })

  test.each([
    ['of before the reading', seen(2.5, 8)],
    ['failed', seen(4, 99, 'd1', 4)],
    ['missing', seen(4, 0, 'd1', 9)],
    ['of another quantity', { ...seen(4, 8), readings: [{ quantity: 'water.salinity', value: 1, flag: 1 as const }] }],
  ])('do not count: %s', (_, o) => {
    const live = new LiveSeries(series([point(2)]), since)
    expect(live.add(o)).toBe(false)
    expect(live.series.points).toHaveLength(1)
  })
})

test('amounts add up, levels do not', () => {
  expect(amount({ t: minute(0), min: 0, mean: 0.5, max: 1, n: 4 }, true)).toBe(2)
  expect(amount({ t: minute(0), min: 0, mean: 0.5, max: 1, n: 4 }, false)).toBe(0.5)
})

test('an axis does not blow noise up', () => {
  expect(extent(17, 18, 1)).toEqual([17, 18])
  expect(extent(17.75, 18.25, 1)).toEqual([17.5, 18.5])
  expect(extent(7, 7, 0)).toEqual([2, 12])
})

test('CSV is for spreadsheets and for programs', () => {
  const counted = { ...series([point(0, 8), point(1, 8.25)]), quality: [{ t: minute(0), good: 1, total: 3 }] }
  const text = csv(counted, ['时间', 'Min (mg/L)', 'Mean, "all"', 'Max', 'n', 'good'], 2)
  expect(text).toBe(
    '\ufeff时间,Min (mg/L),"Mean, ""all""",Max,n,good\r\n' +
      '2026-11-23T16:00:00+08:00,7.000,8.000,9.000,2,0.3333\r\n' +
      '2026-11-23T16:01:00+08:00,7.250,8.250,9.250,2,\r\n',
  )
})

test('the share of good readings is that of the interval, also without a point', () => {
  const counted = { quality: [{ t: minute(0), good: 0, total: 3 }, { t: minute(2), good: 3, total: 4 }] }
  expect([0, 1, 2].map((n) => goodShare(counted, Date.parse(minute(n))))).toEqual([0, undefined, 0.75])
  expect(goodShare({}, 0)).toBeUndefined()
  expect([0, 0.5, 0.99999, 1].map(percent)).toEqual(['0 %', '50 %', '99.9 %', '100 %'])
})
