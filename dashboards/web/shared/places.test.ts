import { describe, expect, test } from 'vitest'
import { choose, distance } from './places'
import type { Site } from './types'

const site = (id: string, zh: string, latitude: number, longitude: number) => ({ id, name: { zh }, town: { zh: '龙门港镇', en: 'Longmengang' }, latitude, longitude }) as Site

const sites = [site('r-2', '二号排', 21.79, 108.53), site('r-1', '一号排', 21.76, 108.55), site('r-10', '10号塘', 21.5, 108.5), site('r-9', '9号塘', 22.5, 108.5)]
const ids = (search: string, here?: { latitude: number; longitude: number }) => choose([...sites], search, here, (s) => s.name.zh).map((s) => s.id)

test('a degree of latitude is 111.2 km', () => {
  expect(distance({ latitude: 21, longitude: 108 }, { latitude: 22, longitude: 108 }) / 1000).toBeCloseTo(111.2, 1)
  expect(distance({ latitude: 21, longitude: 108 }, { latitude: 21, longitude: 108 })).toBe(0)
  expect(distance({ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 }) / 1000).toBeCloseTo(111.2, 1)
})

describe('choose', () => {
  test('by name, numbers as numbers', () => expect(ids('')).toEqual(['r-1', 'r-2', 'r-9', 'r-10']))
  test('Chinese numerals as numbers', () => {
    const ponds = ['二十一号塘', '十号塘', '二号塘', '一号塘', '十二号塘'].map((zh, i) => site(`p${i}`, zh, 0, 0))
    expect(choose(ponds, '', undefined, (s) => s.name.zh).map((s) => s.name.zh)).toEqual(['一号塘', '二号塘', '十号塘', '十二号塘', '二十一号塘'])
  })
  test('nearest first', () => expect(ids('', { latitude: 21.76, longitude: 108.551 })).toEqual(['r-1', 'r-2', 'r-10', 'r-9']))
  test('every word counts, in either language', () => expect(ids('longmen 二号')).toEqual(['r-2']))
  test('nothing found', () => expect(ids('茶园')).toEqual([]))
})
