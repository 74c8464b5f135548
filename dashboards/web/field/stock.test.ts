import { expect, test } from 'vitest'
import { type Catalog, type Entry, entryOf, fieldsOf } from './record'
import { earliest, fillFrom, type Input, type Lot, usable, waitOf } from './stock'

const at = Date.parse('2026-11-20T04:00:00Z')
const lot = (more: Partial<Lot>): Lot => ({ id: 'L1', product: 'azadirachtin', batch: 'A1', supplier: 's', quantity: 10, unit: 'mL', left: 4, ...more })
const input: Input = {
  id: 'azadirachtin', kind: 'pesticide', name: { zh: '印楝素', en: 'Azadirachtin' }, maker: '演示农药厂', registration: 'PD20101580',
  labels: [{ species: 'tea', wait: { days: 7 } }, { species: 'fruit', wait: { days: 10 } }],
}

test('what is empty, expired or of no known product is not offered', () => {
  const lots = [lot({}), lot({ id: 'empty', left: 0 }), lot({ id: 'old', expires: '2026-11-20T03:00:00Z' }), lot({ id: 'good', expires: '2027-01-01T00:00:00Z' }), lot({ id: 'strange', product: 'x' })]
  expect(usable(lots, [input], at).map((l) => l.id)).toEqual(['L1', 'good'])
})

test('the wait is that of the crop, or the longest where the crop is not known', () => {
  const l = usable([lot({})], [input], at)[0]!
  expect([waitOf(l, 'tea'), waitOf(l, 'fruit'), waitOf(l, '')]).toEqual([{ days: 7, degreeDays: 0 }, { days: 10, degreeDays: 0 }, { days: 10, degreeDays: 0 }])
  expect(waitOf({ ...l, of: { ...input, labels: null } }, 'tea')).toBeUndefined()
  expect(waitOf({ ...l, of: { ...input, labels: [{ species: 'fish', wait: { degree_days: 500 } }] } }, 'fish')).toEqual({ days: 0, degreeDays: 500 })
})

test('the first day is the date of the last use and the days of the label', () => {
  expect([earliest('2026-05-01', 7), earliest('2026-12-28', 7), earliest('2028-02-28', 2)]).toEqual(['2026-05-08', '2027-01-04', '2028-03-01'])
})

test('a lot fills in what nobody has said, and nothing else', () => {
  const name = { zh: '名' }
  const catalog: Catalog = {
    version: 1, stages: [], common: null, products: [],
    items: [
      { key: 'product', name, type: 'text' }, { key: 'maker', name, type: 'text' }, { key: 'interval', name, type: 'number', units: ['d'] },
      { key: 'amount', name, type: 'number', units: ['kg', 'mL'] }, { key: 'target', name, type: 'text' },
    ],
    operations: [{ kind: 'spray', stage: 'use', name, required: ['product', 'interval', 'amount', 'target'], stated: ['maker'], wanted: null }],
  }
  const fields = fieldsOf(catalog, catalog.operations[0]!)
  const entries: Record<string, Entry> = Object.fromEntries(fields.map((f) => [f.item.key, entryOf(f.item)]))
  entries.product!.value = '我写的'
  entries.maker!.none = true
  fillFrom(usable([lot({})], [input], at)[0]!, fields, entries, 'tea')
  expect([entries.product!.value, entries.maker, entries.interval!.value, entries.amount!.unit, entries.target!.value]).toEqual([
    '我写的', { value: '演示农药厂', unit: '', none: false, hashes: [] }, '7', 'mL', '',
  ])
})
