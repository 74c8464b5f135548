// What a farm has in stock, as a record form offers it: what is left, and how long to
// wait after it.
import { full, number, text, unitName } from '../shared/format'
import { t } from '../shared/i18n'
import type { Text } from '../shared/types'
import type { Entry, Field } from './record'

export interface Lot {
  id: string
  product: string
  batch: string
  expires?: string
  supplier: string
  quantity: number
  unit: string
  left: number
}

export interface Label {
  species: string
  wait: { days?: number; degree_days?: number }
}

export interface Input {
  id: string
  kind: string
  name: Text
  maker: string
  registration?: string
  labels?: Label[] | null
}

/** A lot that can be used, and its product. */
export interface Stocked extends Lot {
  of: Input
}

/** The lots that something is left of and that have not expired at a time, in Unix ms. */
export function usable(lots: Lot[], inputs: Input[], at: number): Stocked[] {
  return lots.flatMap((l) => {
    const of = inputs.find((i) => i.id === l.product)
    return of && l.left > 0 && !(l.expires && Date.parse(l.expires) <= at) ? [{ ...l, of }] : []
  })
}

export function lotName(l: Stocked): string {
  const left = t('web.record.lot_left', { n: number(l.left, Number.isInteger(l.left) ? 0 : 2), unit: unitName(l.unit) })
  return [text(l.of.name), l.batch, left, l.expires && t('web.record.lot_expires', { day: full(Date.parse(l.expires) - 1).slice(0, 10) })].filter(Boolean).join(' · ')
}

/** The longest wait that the label asks for: of one crop or animal where it is known, else of any. */
export function waitOf(l: Stocked, species: string): { days: number; degreeDays: number } | undefined {
  const all = l.of.labels ?? []
  const meant = all.filter((label) => label.species === species)
  const waits = (meant.length ? meant : all).map((label) => label.wait)
  if (!waits.some((w) => w.days !== undefined || w.degree_days)) return undefined
  return { days: Math.max(0, ...waits.map((w) => w.days ?? 0)), degreeDays: Math.max(0, ...waits.map((w) => w.degree_days ?? 0)) }
}

/** The first day of a harvest after a use: the days between are whole dates in Beijing. */
export function earliest(last: string, days: number): string {
  const day = new Date(`${last}T00:00:00Z`)
  day.setUTCDate(day.getUTCDate() + days)
  return day.toISOString().slice(0, 10)
}

/** Fills in what the lot says, where nobody has said anything yet. */
export function fillFrom(l: Stocked, fields: Field[], entries: Record<string, Entry>, species: string): void {
  const wait = waitOf(l, species)
  const says: Record<string, string | undefined> = {
    product: l.of.name.zh, maker: l.of.maker, registration: l.of.registration,
    interval: wait && String(wait.days), withdrawal: wait && String(wait.degreeDays || wait.days),
  }
  for (const { item } of fields) {
    const entry = entries[item.key]
    if (!entry) continue
    const said = says[item.key]
    if (said && !entry.value) {
      entry.value = said
      entry.none = false
    }
    if (item.key === 'withdrawal' && wait?.degreeDays && item.units?.includes('Cel.d')) entry.unit = 'Cel.d'
    if (item.key === 'amount' && !entry.value && item.units?.includes(l.unit)) entry.unit = l.unit
  }
}
