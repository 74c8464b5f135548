// Batches that are made of batches, as the API has them, and the sums of a form.
import type { Operator, Text } from './types'

export interface Amount {
  quantity: number
  unit: string
}

export interface Batch {
  id: string
  code: string
  tenant: string
  site: string
  product: string
  lot: string
  quantity: number
  unit: string
  harvest: string
  opened: string
  closed?: string
  left: Amount
  made_by?: string // movement; none for a batch from before harvests were movements
  void?: boolean
}

/** A batch by itself. */
export interface BatchDetail extends Batch {
  made: Amount
}

export interface Goods {
  batch: string
  product: string
  lot: string
  tenant: string
  made: Amount
  left?: Amount
}

export interface Part {
  batch: string
  amount: Amount
}

export interface Output extends Part {
  product: string
  lot: string
  from?: Amount
  began?: string // of a harvest
  harvest?: string
}

export interface Movement {
  id: string
  tenant: string
  kind: string
  step?: string
  at: string
  site?: string
  place?: string
  to?: string
  buyer?: { name: string; phone?: string }
  inputs?: Part[]
  outputs?: Output[]
  losses?: { amount: Amount; reason: string }[]
  reason?: string
  handover?: string
  corrects?: string
  voided_by?: string
  taken_by?: string
}

export interface Movements {
  movements: Movement[]
  goods: Goods[]
  operators: Operator[] // who handed over, and to whom
}

export interface Product {
  id: string
  name: Text
}

/** What a form says of one new batch. */
export interface Made {
  product: string
  lot: string
  quantity: number | ''
  unit: string
  from: number | '' // how much of what went in became it
}

/** Adds decimals as decimals: 0.1 and 0.2 are 0.3. */
export function sum(numbers: (number | '')[]): number {
  return Math.round(numbers.reduce<number>((total, n) => total + (n === '' ? 0 : n), 0) * 1e6) / 1e6 + 0 // never -0
}

/** Whether a new batch has to say how much became it: another product, or another unit. */
export function needsFrom(made: Made, product: string, unit: string): boolean {
  return made.product !== product || made.unit !== unit
}

/** What went in and neither came out nor was lost, in the unit of what went in. */
export function rest(inputs: (number | '')[], made: Made[], loss: number | '', product: string, unit: string): number {
  const used = made.map((m) => (needsFrom(m, product, unit) ? m.from : m.quantity))
  return sum([...inputs, ...[...used, loss].map((n) => (n === '' ? 0 : -n))])
}

/** Which kinds of movement a person records, in the order of a batch's life. */
export const kinds = ['process', 'pack', 'split', 'merge', 'sell', 'store', 'move', 'loss'] as const
export type Kind = (typeof kinds)[number]

/** Whether a kind makes new batches. */
export const makes = (kind: Kind) => kind === 'process' || kind === 'pack' || kind === 'split' || kind === 'merge'
