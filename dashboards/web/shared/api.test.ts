import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import en from '../../../i18n/en.json'
import { api, ApiError, backoff, changedTo, deadline, explain } from './api'
import { serverNow, setServerTime } from './clock'
import { setLanguage } from './i18n'

beforeAll(() => setLanguage('en'))
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
  setServerTime(new Date().toUTCString())
})

function answer(status: number, body: string, headers: Record<string, string> = {}) {
  vi.stubGlobal('fetch', vi.fn(async () => new Response(body, { status, headers })))
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const e: unknown = await promise.then(() => undefined, (e: unknown) => e)
  expect(e).toBeInstanceOf(ApiError)
  return e as ApiError
}

describe('problems', () => {
  test.each([
    ['problem+json', 409, '{"type":"about:blank","title":"x","status":409,"code":"conflict"}', 'conflict', false],
    ["a proxy's page", 502, '<html>Bad Gateway</html>', 'status_502', true],
    ['JSON of another kind', 400, '["no"]', 'status_400', false],
    ['nothing', 503, '', 'status_503', true],
    ['too many', 429, '', 'status_429', true],
  ])('%s', async (_, status, body, code, temporary) => {
    answer(status, body)
    const e = await failure(api.get('/sites'))
    expect([e.code, e.status, e.temporary]).toEqual([code, status, temporary])
  })

  test('no network', async () => {
    vi.stubGlobal('fetch', vi.fn(async () => { throw new TypeError('Failed to fetch') }))
    const e = await failure(api.get('/sites'))
    expect([e.code, e.temporary]).toEqual(['network', true])
  })

  test('no answer in time', async () => {
    vi.useFakeTimers()
    vi.stubGlobal('fetch', (_: string, { signal }: RequestInit) => new Promise((_, reject) => signal!.addEventListener('abort', () => reject(new Error('aborted')))))
    const failed = failure(api.get('/sites'))
    await vi.advanceTimersByTimeAsync(deadline)
    expect((await failed).code).toBe('timeout')
  })
})

test.each([
  ['network', new ApiError('network'), en['web.error.network']],
  ['timeout', new ApiError('timeout'), en['web.error.timeout']],
  ['a server error without words', new ApiError('status_502', 502), en['web.error.server']],
  ['a code without words', new ApiError('never_heard_of', 418), en['web.error.unknown']],
  ['not ours', new TypeError('x is undefined'), en['web.error.unknown']],
])('words for %s', (_, e, want) => expect(explain(e)).toBe(want))

test('every problem that has words is told by them', () => {
  const codes = Object.entries(en).filter(([key]) => key.startsWith('problem.'))
  for (const [key, words] of codes) {
    if (!words.includes('{')) expect(explain(new ApiError(key.slice('problem.'.length), 400))).toBe(words)
  }
})

test('success', async () => {
  answer(200, '{"sites":[]}')
  expect(await api.get('/sites')).toEqual({ sites: [] })
  vi.stubGlobal('fetch', vi.fn(async () => new Response(null, { status: 204 })))
  expect(await api.delete('/session')).toBeUndefined()
})

test('what was changed meanwhile is not overwritten', async () => {
  answer(200, '{"name":"a"}', { ETag: '"1"' })
  const seen = await api.get<{ name: string }>('/models/x')
  answer(412, '{"code":"changed","status":412,"current":{"name":"b"}}', { ETag: '"2"' })
  const e = await failure(api.put('/models/x', { name: 'c' }, seen))
  expect(vi.mocked(fetch).mock.lastCall?.[1]?.headers).toMatchObject({ 'If-Match': '"1"' })
  const now = changedTo<{ name: string }>(e)!
  expect(now).toEqual({ name: 'b' })
  vi.stubGlobal('fetch', vi.fn(async () => new Response(null, { status: 204 })))
  await api.delete('/models/x', now)
  expect(vi.mocked(fetch).mock.lastCall?.[1]?.headers).toMatchObject({ 'If-Match': '"2"' })
  await api.put('/models/x', {})
  expect(vi.mocked(fetch).mock.lastCall?.[1]?.headers).not.toHaveProperty('If-Match')
})

test("ages are told by the server's clock", async () => {
  answer(200, '{}', { Date: new Date(Date.now() + 3_600_000).toUTCString() })
  await api.get('/sites')
  expect(Math.abs(serverNow() - Date.now() - 3_600_000)).toBeLessThan(2000)
})

test('waits double up to a minute', () => {
  expect([1, 2, 3, 9].map(backoff)).toEqual([2000, 4000, 8000, 60_000])
})
