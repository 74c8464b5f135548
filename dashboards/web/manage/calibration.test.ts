import { describe, expect, test } from 'vitest'
import { after, fit, inForceAt } from './calibration'

describe('fit', () => {
  test.each([
    ['one point moves the offset', [{ shown: 6.2, right: 6.5 }], undefined, { slope: 1, offset: 0.3 }],
    ['two points: pH 4 and 7', [{ shown: 4.2, right: 4 }, { shown: 7.1, right: 7 }], undefined, { slope: 1.0344828, offset: -0.34482759 }],
    ['the order of points does not matter', [{ shown: 7.1, right: 7 }, { shown: 4.2, right: 4 }], undefined, { slope: 1.0344828, offset: -0.34482759 }],
    ['what is in force is carried over', [{ shown: 10, right: 11 }], { slope: 2, offset: 4 }, { slope: 2, offset: 5 }],
    ['both, with one in force', [{ shown: 0, right: 1 }, { shown: 10, right: 31 }], { slope: 2, offset: 4 }, { slope: 6, offset: 13 }],
    ['an empty second point is none', [{ shown: 1, right: 2 }, { shown: NaN, right: 3 }], undefined, { slope: 1, offset: 1 }],
  ])('%s', (_, points, inForce, line) => {
    expect(fit(points, inForce)).toEqual({ line })
  })

  test.each([
    ['missing', []],
    ['missing', [{ shown: NaN, right: 7 }]],
    ['same', [{ shown: 7, right: 7 }, { shown: 7, right: 4 }]],
    ['flat', [{ shown: 7, right: 5 }, { shown: 4, right: 5 }]],
  ])('no line: %s', (fault, points) => expect(fit(points)).toEqual({ fault }))

  test('afterwards the screen shows what is right', () => {
    const inForce = { slope: 0.97, offset: -0.4 }
    const points = [{ shown: 4.2, right: 4 }, { shown: 7.1, right: 7 }]
    const got = fit(points, inForce)
    for (const p of points) expect('line' in got && after(p.shown, got.line, inForce)).toBeCloseTo(p.right, 5)
  })
})

test('in force is the last of those that have begun', () => {
  const c = (channel: string, from: string, slope: number) => ({ channel, from, slope, offset: 0 })
  const history = [c('t', '2026-01-01T00:00:00Z', 1), c('ph', '2026-02-01T00:00:00Z', 2), c('t', '2026-03-01T00:00:00Z', 3), c('t', '2026-03-01T00:00:00Z', 4), c('t', '2027-01-01T00:00:00Z', 5)]
  const at = Date.parse('2026-06-01T00:00:00Z')
  expect([inForceAt(history, 't', at)?.slope, inForceAt(history, 'ph', at)?.slope, inForceAt(history, 'x', at)]).toEqual([4, 2, undefined])
})
