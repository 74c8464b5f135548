import { expect, test } from 'vitest'
import { exported, imported, latest } from './lists'

test('progress is the last whole line', () => {
  expect(latest('')).toBeUndefined()
  expect(latest('{"done":5')).toBeUndefined()
  expect(latest('{"done":50}\n{"done":1')).toEqual({ done: 50 })
  expect(latest('{"done":50}\n{"done":100}\n')).toEqual({ done: 100 })
})

test('every template has a cell for each column', () => {
  for (const { columns, row } of Object.values(imported)) expect(row).toHaveLength(columns.length)
})

test('who has no operator has none of its lists', () => {
  expect(exported(undefined).map((l) => l.name)).not.toContain('lots')
  expect(exported('tea').map((l) => l.path)).toContain('/tenants/tea/lots')
})
