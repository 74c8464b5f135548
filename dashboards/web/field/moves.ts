// What becomes of batches, as this phone can tell it without a network: how much the
// server said is left, less what waits here to be sent, and what a form still lacks.
import { makes, sum, type Amount, type Batch, type Kind, type Movement } from '../shared/batches'
import { plainNumber } from './record'
import type { Statement } from './safe'

/** What there is of a batch, as far as this phone knows. */
export interface Stock {
  id: string
  tenant: string
  site: string
  product: string
  lot: string
  left: Amount
  here: boolean // its movement waits on this phone: the server has not heard of it
}

/** A movement of batches as it is handed in. */
export type Move = Omit<Movement, 'voided_by' | 'taken_by'>

/** What one records in the field, in the order of a batch's life. */
export const tasks = ['harvest', 'process', 'pack', 'split', 'merge', 'sell', 'store', 'move', 'loss'] as const
export type Task = (typeof tasks)[number]

export function isMove(s: Statement): s is Move {
  return !('items' in s)
}

/** Whether a movement says something of what another makes or is. */
export function leansOn(m: Move, other: Move): boolean {
  return m.corrects === other.id || (m.inputs ?? []).some((i) => (other.outputs ?? []).some((o) => o.batch === i.batch))
}

/** Whether a movement takes its inputs out of stock. */
function draws(m: Move): boolean {
  return m.kind === 'move' || m.kind === 'store' ? Boolean(m.outputs?.length || m.to) : true
}

/** What is left of each batch once everything that waits has arrived; recent are
 *  movements that the server has, of which a waiting one may take one back. */
export function stockOf(batches: Batch[], waiting: Move[], recent: Move[] = []): Stock[] {
  const all = new Map<string, Stock>()
  for (const b of batches) {
    if (b.left && !b.void) all.set(b.id, { id: b.id, tenant: b.tenant, site: b.site, product: b.product, lot: b.lot, left: { ...b.left }, here: false })
  }
  const gone = new Set(waiting.map((m) => m.corrects))
  const change = (id: string, n: number) => {
    const s = all.get(id)
    if (s) s.left.quantity = sum([s.left.quantity, n])
  }
  for (const m of waiting) {
    if (gone.has(m.id)) continue // made and taken back before anybody heard of it
    const back = recent.find((r) => r.id === m.corrects)
    if (back) {
      if (draws(back)) for (const i of back.inputs ?? []) change(i.batch, i.amount.quantity)
      for (const o of back.outputs ?? []) all.delete(o.batch)
    }
    if (m.kind === 'void') continue
    if (draws(m)) for (const i of m.inputs ?? []) change(i.batch, -i.amount.quantity)
    for (const o of m.outputs ?? []) {
      const site = m.site ?? all.get(m.inputs?.[0]?.batch ?? '')?.site ?? ''
      all.set(o.batch, { id: o.batch, tenant: m.tenant, site, product: o.product, lot: o.lot, left: { ...o.amount }, here: true })
    }
  }
  return [...all.values()].filter((s) => s.left.quantity > 0)
}

/** What is typed of a batch that is taken from. */
export interface Taken {
  stock: Stock
  quantity: string
}

/** What is typed of a new batch. */
export interface Making {
  product: string
  lot: string
  quantity: string
  unit: string
  from: string
}

/** A number as it was typed; NaN where it is none, or not more than nothing. */
export function amountOf(typed: string): number {
  const plain = plainNumber(typed)
  return /^\d{1,12}(\.\d{1,6})?$/.test(plain) && Number(plain) > 0 ? Number(plain) : NaN
}

export type Wrong = '' | 'none' | 'amount' | 'over' | 'units' | 'pair'

/** What is wrong with what is taken: nothing was chosen, a number is none or more than
 *  is left, units that do not add up, or one alone where two become one. */
export function wrongTaken(kind: Task, taken: Taken[]): Wrong {
  if (kind === 'harvest') return ''
  if (taken.length === 0) return 'none'
  if (kind === 'merge' && taken.length < 2) return 'pair'
  if (taken.some((p) => Number.isNaN(amountOf(p.quantity)))) return 'amount'
  if (taken.some((p) => amountOf(p.quantity) > p.stock.left.quantity)) return 'over'
  if (makesNew(kind) && new Set(taken.map((p) => p.stock.left.unit)).size > 1) return 'units'
  return ''
}

export const makesNew = (kind: Task) => kind !== 'harvest' && makes(kind as Kind)

/** Whether a new batch says how much became it: it is something else, is counted
 *  otherwise, or is of several products. */
export function saysFrom(m: Making, taken: Taken[]): boolean {
  return taken.some((p) => p.stock.product !== m.product || p.stock.left.unit !== m.unit)
}

/** What was taken and neither came out nor was lost: less than zero where more came out. */
export function openOf(taken: Taken[], making: Making[], loss: string): number {
  const n = (typed: string) => amountOf(typed) || 0
  const out = making.map((m) => n(saysFrom(m, taken) ? m.from : m.quantity))
  return sum([...taken.map((p) => n(p.quantity)), ...[...out, n(loss)].map((used) => -used)])
}

/** A number for a new batch that this farm has not used: the day, and which of the day. */
export function freshLot(day: string, used: string[]): string {
  for (let n = 1; ; n++) {
    const lot = `${day.replaceAll('-', '')}-${n}`
    if (!used.includes(lot)) return lot
  }
}
