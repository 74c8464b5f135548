import { afterEach, expect, test, vi } from 'vitest'
import { whole } from './load'

afterEach(() => vi.unstubAllGlobals())

test('a list is read to its end', async () => {
  const pages: Record<string, unknown> = {
    '/api/v1/lots?limit=1000': { lots: [1, 2], next: 'a b' },
    '/api/v1/lots?limit=1000&after=a%20b': { lots: [], next: 'c' }, // a page may be empty before the end
    '/api/v1/lots?limit=1000&after=c': { lots: [3] },
  }
  vi.stubGlobal('fetch', vi.fn(async (path: string) => new Response(JSON.stringify(pages[path]))))
  expect(await whole('/lots')).toEqual({ lots: [1, 2, 3] })
  expect(fetch).toHaveBeenCalledTimes(3)
})
