import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { follow, silence, type LiveState } from './live'
import type { Observation } from './types'

class Source extends EventTarget {
  static all: Source[] = []
  onopen?: () => void
  onerror?: () => void
  closed = false
  constructor(readonly url: string) {
    super()
    Source.all.push(this)
  }
  close() {
    this.closed = true
  }
  send(name: string, data: string) {
    this.dispatchEvent(new MessageEvent(name, { data }))
  }
}

beforeEach(() => {
  vi.useFakeTimers()
  Source.all = []
  vi.stubGlobal('EventSource', Source)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function start() {
  const states: LiveState[] = []
  const seen: Observation[] = []
  let opened = 0
  const stream = follow('?device=d1', {
    open: () => opened++,
    state: (s) => states.push(s),
    observation: (o) => seen.push(o),
  })
  return { stream, states, seen, opened: () => opened }
}

test('reads everything anew after each break, slower and slower', () => {
  const { stream, states, opened } = start()
  expect(Source.all[0]!.url).toBe('/api/v1/live?device=d1')
  Source.all[0]!.onopen!()
  Source.all[0]!.onerror!()
  expect(Source.all[0]!.closed).toBe(true)
  vi.advanceTimersByTime(2000)
  expect(Source.all).toHaveLength(2)
  Source.all[1]!.onerror!()
  vi.advanceTimersByTime(2000)
  expect(Source.all).toHaveLength(2)
  vi.advanceTimersByTime(2000)
  expect(Source.all).toHaveLength(3)
  Source.all[2]!.onopen!()
  expect(opened()).toBe(2)
  expect(states).toEqual(['connecting', 'live', 'lost', 'lost', 'live'])
  stream.stop()
})

test('a connection that says nothing is opened anew', () => {
  const { stream } = start()
  Source.all[0]!.onopen!()
  vi.advanceTimersByTime(silence - 1)
  Source.all[0]!.send('observation', '{}')
  vi.advanceTimersByTime(silence - 1)
  expect(Source.all).toHaveLength(1)
  vi.advanceTimersByTime(1)
  expect(Source.all).toHaveLength(2)
  expect(Source.all[0]!.closed).toBe(true)
  stream.stop()
})

test('tells observations, and bears what it cannot read', () => {
  const { stream, seen } = start()
  Source.all[0]!.send('observation', '{"device":"d1"')
  Source.all[0]!.send('observation', '{"device":"d1"}')
  Source.all[0]!.send('status', '{}')
  expect(seen).toEqual([{ device: 'd1' }])
  stream.stop()
})

test('stops for good', () => {
  const { stream } = start()
  stream.stop()
  dispatchEvent(new Event('online'))
  vi.advanceTimersByTime(10 * silence)
  expect(Source.all).toHaveLength(1)
})
