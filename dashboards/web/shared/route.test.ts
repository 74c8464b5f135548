import { expect, test } from 'vitest'
import { link, parse } from './route'

test.each([
  ['', { path: [], query: {} }],
  ['#/', { path: [], query: {} }],
  ['#/d/pond-1', { path: ['d', 'pond-1'], query: {} }],
  ['#/site/a%20b?quantity=water.ph&range=7d', { path: ['site', 'a b'], query: { quantity: 'water.ph', range: '7d' } }],
  ['#/site/%E0%A4%A', { path: ['site', '%E0%A4%A'], query: {} }],
])('parse %s', (hash, want) => expect(parse(hash)).toEqual(want))

test('links lead back to where they were made', () => {
  const place = { path: ['site', 'a/b'], query: { search: '虾 塘&1', kind: 'pond' } }
  expect(parse(link(place.path, place.query))).toEqual(place)
  expect(link([], { kind: '', search: undefined })).toBe('#/')
})
