import { afterEach, describe, expect, it, vi } from 'vitest'
import { api } from '../api'
import { newFilter, queryOf, useNotices } from './notices'

afterEach(() => vi.restoreAllMocks())

describe('queryOf', () => {
  const cases: [string, Partial<ReturnType<typeof newFilter>>, string][] = [
    ['what waits', {}, 'state=open'],
    ['what is done', { state: 'done' }, 'state=acknowledged'],
    ['everything', { state: 'all' }, ''],
    ['of a batch', { state: 'all', batch: '01JZ00000000000000000000B1' }, 'batch=01JZ00000000000000000000B1'],
    ['of days in Beijing, the last one whole', { state: 'all', from: '2026-11-01', to: '2026-11-01' }, 'from=2026-10-31T16%3A00%3A00.000Z&to=2026-11-01T16%3A00%3A00.000Z'],
  ]
  it.each(cases)('asks for %s', (_, set, want) => {
    expect(queryOf({ ...newFilter(), ...set }, 'acknowledged')).toBe(want)
  })
})

describe('useNotices', () => {
  it('reads on, and reads again all that it shows', async () => {
    const asked: string[] = []
    vi.spyOn(api, 'get').mockImplementation(async (path: string) => {
      asked.push(path)
      return path.includes('after=') ? { complaints: [{ id: 'b' }] } : { complaints: [{ id: 'a' }], next: 'x=' }
    })
    const n = useNotices('/complaints', 'complaints', () => 'state=open', new AbortController().signal)
    await n.restart()
    await n.more()
    expect(n.list.value).toEqual([{ id: 'a' }, { id: 'b' }])
    expect(n.next.value).toBe('')
    expect(asked).toEqual(['/complaints?state=open&limit=50', '/complaints?state=open&limit=50&after=x%3D'])
  })

  it('does not show what another filter asked for', async () => {
    const answers: ((value: unknown) => void)[] = []
    vi.spyOn(api, 'get').mockImplementation(() => new Promise((resolve) => answers.push(resolve)))
    const n = useNotices('/complaints', 'complaints', () => '', new AbortController().signal)
    const [first, second] = [n.restart(), n.restart()]
    answers[1]!({ complaints: [{ id: 'new' }] })
    answers[0]!({ complaints: [{ id: 'old' }] })
    await Promise.all([first, second])
    expect(n.list.value).toEqual([{ id: 'new' }])
  })
})
