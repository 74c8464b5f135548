import { describe, expect, test } from 'vitest'
import { ulid } from '../shared/ulid'
import { type Catalog, dash, entryOf, faultOf, fieldsOf, itemsOf, kindsAt, plainNumber } from './record'

const name = { zh: '名' }
const catalog: Catalog = {
  version: 3,
  stages: [{ id: 'use', name }, { id: 'harvest', name }, { id: 'empty', name }],
  items: [
    { key: 'product', name, type: 'text' },
    { key: 'dose', name, type: 'number', units: ['g', 'mL'], min: 0, max: 50 },
    { key: 'lot', name, type: 'lot' },
    { key: 'stop', name, type: 'date' },
    { key: 'photo', name, type: 'photo', many: true },
  ],
  common: ['photo'],
  operations: [
    { kind: 'spray', stage: 'use', name, required: ['product', 'dose'], stated: ['lot'], wanted: ['stop', 'gone'] },
    { kind: 'catch', stage: 'harvest', name, required: [], stated: null, wanted: null },
    { kind: 'void', stage: 'use', name, required: ['reason'], stated: null, wanted: null },
  ],
  products: [
    { id: 'tea', name, sites: ['garden'], operations: ['spray'] },
    { id: 'fish', name, sites: ['pond'], operations: ['catch'] },
  ],
}
const spray = catalog.operations[0]!
const fields = fieldsOf(catalog, spray)
const entries = (given: Record<string, object>) =>
  Object.fromEntries(fields.map((f) => [f.item.key, { ...entryOf(f.item), ...given[f.item.key] }]))

test('a site has the operations of what grows there', () => {
  const kinds = (site: string) => kindsAt(catalog, site).map((s) => s.kinds.map((k) => k.kind))
  expect(kinds('garden')).toEqual([['spray']])
  expect(kinds('pond')).toEqual([['catch']])
  expect(kinds('barn')).toEqual([['spray'], ['catch']])
  const official = { ...catalog, operations: [...catalog.operations, { ...spray, kind: 'supervise', official: true }] }
  expect(kindsAt(official, 'pond').flatMap((s) => s.kinds.map((k) => k.kind))).toEqual(['catch'])
  expect(kindsAt(official, 'pond', true).flatMap((s) => s.kinds.map((k) => k.kind))).toEqual(['supervise'])
})

test('what must be said comes first, what everything may carry last', () => {
  expect(fields.map((f) => `${f.item.key} ${f.need}`)).toEqual(['product required', 'dose required', 'lot stated', 'stop wanted', 'photo wanted'])
})

describe('answers', () => {
  const fault = (key: string, given: object) => {
    const field = fields.find((f) => f.item.key === key)!
    return faultOf(field, { ...entryOf(field.item), ...given })
  }
  test.each([
    ['product', {}, 'missing'],
    ['product', { value: '  ' }, 'missing'],
    ['product', { none: true }, 'missing'],
    ['product', { value: 'x' }, ''],
    ['dose', { value: '2.5' }, ''],
    ['dose', { value: '２．５' }, ''],
    ['dose', { value: '2,5' }, ''],
    ['dose', { value: 'two' }, 'number'],
    ['dose', { value: '51' }, 'range'],
    ['dose', { value: '-1' }, 'range'],
    ['lot', {}, 'missing'],
    ['lot', { none: true }, ''],
    ['stop', {}, ''],
    ['photo', {}, ''],
  ])('%s %j: %s', (key, given, wanted) => {
    expect(fault(key, given)).toBe(wanted)
  })
})

test('items say what was typed, and a dash where nothing applies', () => {
  const typed = entries({ product: { value: ' 苦参碱 ' }, dose: { value: '６0', unit: 'mL' }, lot: { none: true }, photo: { hashes: ['a', 'b'] } })
  const items = itemsOf(fields, typed)
  expect(items).toEqual([
    { key: 'product', value: '苦参碱' },
    { key: 'dose', value: '60', unit: 'mL' },
    { key: 'lot', value: dash },
    { key: 'photo', value: 'a' },
    { key: 'photo', value: 'b' },
  ])
  // A correction begins with what was said.
  const again = Object.fromEntries(fields.map((f) => [f.item.key, entryOf(f.item, items)]))
  expect(itemsOf(fields, again)).toEqual(items)
})

test('numbers of every keyboard', () => {
  expect([plainNumber('１２。５'), plainNumber(' 3 '), plainNumber('1，5')]).toEqual(['12.5', '3', '1.5'])
})

test('ULIDs', () => {
  // The specification's own example of a time.
  expect(ulid(1469918176385).slice(0, 10)).toBe('01ARYZ6S41')
  expect(ulid()).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  expect(ulid()).not.toBe(ulid())
})
