import { expect, test } from 'vitest'
import type { Batch } from '../shared/batches'
import { amountOf, freshLot, leansOn, type Making, type Move, openOf, saysFrom, type Stock, stockOf, type Taken, wrongTaken } from './moves'

const kg = (quantity: number) => ({ quantity, unit: 'kg' })
const batch = (id: string, left: number, more: Partial<Batch> = {}): Batch => ({
  id, code: '', tenant: 'tea', site: 'garden', product: 'leaf', lot: `lot-${id}`, quantity: 100, unit: 'kg', harvest: '', opened: '', left: kg(left), ...more,
})
const move = (id: string, kind: string, inputs: [string, number][] = [], outputs: [string, number][] = [], more: Partial<Move> = {}): Move => ({
  id, tenant: 'tea', kind, at: '2026-11-20T04:00:00Z', inputs: inputs.map(([batch, n]) => ({ batch, amount: kg(n) })),
  outputs: outputs.map(([batch, n]) => ({ batch, product: 'dry', lot: `lot-${batch}`, amount: kg(n) })), ...more,
})
const left = (all: Stock[]) => Object.fromEntries(all.map((s) => [s.id, s.left.quantity]))
const stock = (id: string, quantity: number, product = 'leaf', unit = 'kg'): Stock => ({ id, tenant: 'tea', site: 'garden', product, lot: id, left: { quantity, unit }, here: false })
const taken = (s: Stock, quantity: string): Taken => ({ stock: s, quantity })
const making = (more: Partial<Making>): Making => ({ product: 'leaf', lot: '1', quantity: '', unit: 'kg', from: '', ...more })

test('stock is what the server said, less what waits to be sent, and with what that makes', () => {
  const waiting = [move('m1', 'harvest', [], [['c', 30]], { site: 'garden-2' }), move('m2', 'process', [['a', 0.1], ['c', 30]], [['d', 12]]), move('m3', 'sell', [['d', 2]])]
  const all = stockOf([batch('a', 0.3), batch('b', 0), batch('v', 5, { void: true })], waiting)
  expect(left(all)).toEqual({ a: 0.2, d: 10 })
  expect(all.find((s) => s.id === 'd')).toMatchObject({ here: true, site: 'garden', product: 'dry' })
})

test('what is put away or carried is still there, what is handed over is not', () => {
  const waiting = [move('m1', 'store', [['a', 10]]), move('m2', 'move', [['b', 10]]), move('m3', 'move', [['c', 10]], [], { to: 'oysters' })]
  expect(left(stockOf([batch('a', 10), batch('b', 10), batch('c', 10)], waiting))).toEqual({ a: 10, b: 10 })
})

test('what is taken back comes back, whether the server has heard of it or not', () => {
  const sold = move('m1', 'sell', [['a', 4]])
  const undo = move('m2', 'void', [], [], { corrects: 'm1' })
  expect(left(stockOf([batch('a', 10)], [sold, undo]))).toEqual({ a: 10 })
  expect(left(stockOf([batch('a', 6)], [undo], [sold]))).toEqual({ a: 10 })
  const made = move('m3', 'process', [['a', 4]], [['b', 4]])
  expect(left(stockOf([batch('a', 6), batch('b', 4)], [move('m4', 'void', [], [], { corrects: 'm3' })], [made]))).toEqual({ a: 10 })
  expect([leansOn(undo, sold), leansOn(sold, undo), leansOn(move('m5', 'sell', [['b', 1]]), made)]).toEqual([true, false, true])
})

test('numbers as every keyboard types them', () => {
  expect([amountOf('12.5'), amountOf('１２，５'), amountOf('0'), amountOf('-1'), amountOf('1e3'), amountOf('')]).toEqual([12.5, 12.5, NaN, NaN, NaN, NaN])
})

test('more than is left, nothing, and what does not add up is seen before it is sent', () => {
  const [a, b, c] = [stock('a', 10), stock('b', 5), stock('c', 3, 'leaf', '{box}')]
  expect(wrongTaken('sell', [taken(a!, '10')])).toBe('')
  expect(wrongTaken('sell', [taken(a!, '10.1')])).toBe('over')
  expect(wrongTaken('sell', [taken(a!, 'many')])).toBe('amount')
  expect(wrongTaken('sell', [])).toBe('none')
  expect(wrongTaken('merge', [taken(a!, '1')])).toBe('pair')
  expect(wrongTaken('merge', [taken(a!, '1'), taken(b!, '1')])).toBe('')
  expect(wrongTaken('process', [taken(a!, '1'), taken(c!, '1')])).toBe('units')
  expect(wrongTaken('sell', [taken(a!, '1'), taken(c!, '1')])).toBe('')
  expect(wrongTaken('harvest', [])).toBe('')
})

test('the balance counts what became something else by how much of it did', () => {
  const from = [taken(stock('a', 100), '100')]
  expect(openOf(from, [making({ quantity: '60' }), making({ quantity: '40' })], '')).toBe(0)
  expect(openOf(from, [making({ quantity: '60' })], '0.5')).toBe(39.5)
  expect(openOf(from, [making({ product: 'dry', quantity: '24', from: '96' })], '4')).toBe(0)
  expect(openOf(from, [making({ quantity: '101' })], '')).toBe(-1)
  const mixed = [taken(stock('a', 100), '1'), taken(stock('b', 100, 'bud'), '2')]
  expect(saysFrom(making({ quantity: '3' }), mixed)).toBe(true) // two products do not come out as one without saying so
  expect(openOf(mixed, [making({ quantity: '3' })], '')).toBe(3)
})

test('a lot that is proposed was not used before', () => {
  expect(freshLot('2026-11-26', ['20261126-1', '20261126-2', 'x'])).toBe('20261126-3')
})
