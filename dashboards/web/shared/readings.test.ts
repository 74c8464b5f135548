import { describe, expect, test } from 'vitest'
import { glance, isStale, mergeAlert, mergeLatest, mergeObservation, ordered } from './readings'
import type { Alert, LatestByQuantity, Observation, Quantity } from './types'

function seen(time: string, value: number | null, flag: 1 | 9 = 1, quantity = 'water.ph'): Observation {
  return { device: 'd1', tenant: 't', site: 's', time, server_time: false, readings: [{ quantity, value, flag }] }
}

describe('latest readings', () => {
  test('newer ones replace, late and repeated ones do not', () => {
    const latest: LatestByQuantity = {}
    expect(mergeObservation(latest, seen('2026-11-23T08:00:00Z', 8.0))).toBe(true)
    expect(mergeObservation(latest, seen('2026-11-23T08:01:00Z', 8.1))).toBe(true)
    expect(mergeObservation(latest, seen('2026-11-23T08:00:30Z', 7.0))).toBe(false)
    expect(mergeObservation(latest, seen('2026-11-23T08:01:00Z', 7.0))).toBe(false)
    expect(latest['water.ph']).toMatchObject({ value: 8.1, time: '2026-11-23T08:01:00Z', device: 'd1' })
  })

  test('times are compared as times, not as text', () => {
    const latest: LatestByQuantity = {}
    mergeObservation(latest, seen('2026-11-23T16:01:00+08:00', 8.1))
    expect(mergeObservation(latest, seen('2026-11-23T08:00:59.999Z', 7))).toBe(false)
    expect(mergeObservation(latest, seen('2026-11-23T08:01:00.5Z', 8.2))).toBe(true)
  })

  test('a newer missing value shows as missing, not as the old value', () => {
    const latest: LatestByQuantity = {}
    mergeObservation(latest, seen('2026-11-23T08:00:00Z', 8.0))
    mergeObservation(latest, seen('2026-11-23T08:01:00Z', null, 9))
    expect(latest['water.ph']).toMatchObject({ value: null, flag: 9 })
  })

  test('an answer that was on its way while news came loses to the news', () => {
    const answer: LatestByQuantity = { 'water.ph': { value: 8, flag: 1, time: '2026-11-23T08:00:00Z' } }
    mergeLatest(answer, {
      'water.ph': { value: 8.2, flag: 1, time: '2026-11-23T08:01:00Z' },
      'water.salinity': { value: 24, flag: 1, time: '2026-11-23T07:00:00Z' },
    })
    expect(answer['water.ph']!.value).toBe(8.2)
    expect(answer['water.salinity']!.value).toBe(24)
  })
})

test.each([
  ['within two intervals', 119, 60, false],
  ['past two intervals', 121, 60, true],
  ['interval not known', 1199, 0, false],
  ['interval not known, long ago', 1201, 0, true],
  ['ahead of the clock', -300, 60, false],
])('stale: %s', (_, seconds, interval, want) => {
  const now = Date.parse('2026-11-23T08:00:00Z')
  expect(isStale(new Date(now - seconds * 1000).toISOString(), now, interval)).toBe(want)
})

test('readings follow the vocabulary, the device itself last', () => {
  const q = (id: string): Quantity => ({ id, unit: '1', symbol: '', digits: 0, sum: false })
  const reading = { value: 1, flag: 1 as const, time: '2026-11-23T08:00:00Z' }
  const latest = { 'water.ph': reading, 'device.battery': reading, 'water.temperature': reading, 'water.unheard_of': reading }
  const vocabulary = ['device.battery', 'water.temperature', 'water.ph', 'soil.moisture'].map(q)
  expect(ordered(latest, vocabulary).map((r) => r.quantity.id)).toEqual(['water.temperature', 'water.ph', 'device.battery'])
})

test('a glance begins with oxygen and leaves the device out', () => {
  const q = (id: string): Quantity => ({ id, unit: '1', symbol: '', digits: 0, sum: false })
  const ids = ['device.battery', 'water.temperature', 'water.salinity', 'water.ph', 'water.dissolved_oxygen']
  const latest = Object.fromEntries(ids.map((id) => [id, { value: 1, flag: 1 as const, time: '2026-11-23T08:00:00Z' }]))
  expect(glance(latest, ids.map(q), 3).map((r) => r.quantity.id)).toEqual(['water.dissolved_oxygen', 'water.temperature', 'water.salinity'])
})

describe('alerts', () => {
  const alert = (id: string, state: Alert['state'], began: string): Alert => ({
    id, state, began, rule: 'r', title: { zh: '低氧' }, severity: 'critical', site: 's', device: 'd', quantity: 'water.ph', limit: 4,
  })

  test('one episode stays one, newest first, and never goes back', () => {
    let alerts = [alert('a', 'firing', '2026-11-23T08:00:00Z')]
    alerts = mergeAlert(alerts, alert('b', 'firing', '2026-11-23T09:00:00Z'))
    alerts = mergeAlert(alerts, alert('a', 'resolved', '2026-11-23T08:00:00Z'))
    alerts = mergeAlert(alerts, alert('a', 'firing', '2026-11-23T08:00:00Z'))
    expect(alerts.map((a) => [a.id, a.state])).toEqual([['b', 'firing'], ['a', 'resolved']])
  })

  test('one that passed before it fired is dropped, known or not', () => {
    const news = alert('a', 'inactive', '2026-11-23T08:00:00Z')
    expect(mergeAlert([alert('a', 'pending', '2026-11-23T08:00:00Z')], news)).toEqual([])
    expect(mergeAlert([alert('b', 'firing', '2026-11-23T09:00:00Z')], news).map((a) => a.id)).toEqual(['b'])
  })
})
