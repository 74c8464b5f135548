import { beforeAll, describe, expect, test } from 'vitest'
import { age, clock, duration, full, iso, measure, moment, number, text, value } from './format'
import { setLanguage } from './i18n'
import type { Quantity } from './types'

const oxygen: Quantity = { id: 'water.dissolved_oxygen', unit: 'mg/L', symbol: 'mg/L', digits: 2, sum: false }
const aerator: Quantity = { id: 'device.aerator', unit: '1', symbol: '', digits: 0, sum: false }
const now = Date.parse('2026-11-23T16:30:00Z') // half past midnight in Beijing

describe('in Chinese', () => {
  beforeAll(() => setLanguage('zh-CN'))

  test.each([
    ['digits of the quantity', () => measure(6, oxygen), '6.00 mg/L'],
    ['missing', () => measure(0, oxygen, 9), '–'],
    ['null', () => measure(null, oxygen, 9), '–'],
    ['no reading', () => value(undefined, oxygen), '–'],
    ['a machine that runs', () => measure(1, aerator), '开'],
    ['a machine that stands', () => value(0, aerator), '关'],
    ['groups', () => number(36666), '36,666'],
    ['below zero', () => number(-0.25, 1), '-0.3'],
    ['today is Beijing’s', () => clock(Date.parse('2026-11-23T16:05:00Z'), now), '00:05'],
    ['yesterday has a date', () => clock(Date.parse('2026-11-23T15:59:00Z'), now), '11月23日 23:59'],
    ['moment', () => moment(now), '11月24日 00:30'],
    ['full', () => full(now), '2026-11-24 00:30:00'],
    ['for machines', () => iso(now), '2026-11-24T00:30:00+08:00'],
    ['age', () => age(now - 3 * 60_000, now), '3 分钟前'],
    ['a clock ahead', () => age(now + 90_000, now), '刚刚'],
    ['days', () => age(now - 49 * 3_600_000, now), '2 天前'],
    ['duration', () => duration(900), '15 分钟'],
    ['name', () => text({ zh: '一号塘', en: 'Pond 1' }), '一号塘'],
  ])('%s', (_, got, want) => expect(got()).toBe(want))
})

describe('in English', () => {
  beforeAll(() => setLanguage('en'))

  test.each([
    ['age', () => age(now - 3 * 60_000, now), '3 min. ago'],
    ['midnight is not 24:30', () => moment(now), 'Nov 24, 00:30'],
    ['name', () => text({ zh: '一号塘', en: 'Pond 1' }), 'Pond 1'],
    ['no English name', () => text({ zh: '一号塘' }), '一号塘'],
    ['switch', () => measure(1, aerator), 'On'],
  ])('%s', (_, got, want) => expect(got()).toBe(want))
})
