// What a record form asks, as the catalog says, and what of it is still missing.
import type { Text } from '../shared/types'

/** Written where nothing applies: no cell is left blank. */
export const dash = '—'

/** The kind of operation that takes another one back. */
export const voidKind = 'void'

export interface ItemKind {
  key: string
  name: Text
  type: 'text' | 'number' | 'choice' | 'date' | 'lot' | 'batch' | 'licence' | 'photo' | 'document'
  units?: string[] // the usual one first
  min?: number
  max?: number
  choices?: { key: string; name: Text }[]
  many?: boolean
}

export interface OperationKind {
  kind: string
  stage: string
  name: Text
  required: string[] | null
  stated: string[] | null
  wanted: string[] | null
  official?: boolean
}

export interface Catalog {
  version: number
  stages: { id: string; name: Text }[]
  items: ItemKind[]
  common: string[] | null
  operations: OperationKind[]
  products: { id: string; name: Text; sites: string[]; operations: string[] }[]
}

export interface Item {
  key: string
  value: string
  unit?: string
  commitment?: string // of a value that can be erased; alone, it was
}

/** An operation as it is handed in. */
export interface Operation {
  site: string
  id: string // ULID
  kind: string
  at: string // RFC 3339
  items: Item[]
  position?: { longitude: number; latitude: number; accuracy?: number }
  corrects?: string
}

/** What was typed for one item. */
export interface Entry {
  value: string
  unit: string
  none: boolean // nothing applies
  hashes: string[] // of pictures
}

export interface Field {
  item: ItemKind
  need: 'required' | 'stated' | 'wanted'
}

/** The kinds of operation that a site of this kind has, by stage; all where no product grows on such sites.
 *  What is official has no product: it is an inspector's, who has nothing else. */
export function kindsAt(catalog: Catalog, siteKind: string, official = false): { name: Text; kinds: OperationKind[] }[] {
  const here = new Set(catalog.products.filter((p) => p.sites.includes(siteKind)).flatMap((p) => p.operations))
  const kinds = catalog.operations.filter((o) => o.kind !== voidKind && (official ? o.official : !o.official && (here.size === 0 || here.has(o.kind))))
  return catalog.stages.map((s) => ({ name: s.name, kinds: kinds.filter((o) => o.stage === s.id) })).filter((s) => s.kinds.length > 0)
}

/** What is asked of a kind of operation, what must be said first. */
export function fieldsOf(catalog: Catalog, kind: OperationKind): Field[] {
  const asked = new Set<string>()
  const fields = (need: Field['need'], keys: string[] | null) =>
    (keys ?? []).flatMap((key): Field[] => {
      const item = catalog.items.find((i) => i.key === key)
      if (!item || asked.has(key)) return []
      asked.add(key)
      return [{ item, need }]
    })
  return [...fields('required', kind.required), ...fields('stated', kind.stated), ...fields('wanted', kind.wanted), ...fields('wanted', catalog.common)]
}

export function isPicture(item: ItemKind): boolean {
  return item.type === 'photo' || item.type === 'document'
}

/** An empty answer, or the one that an operation gave. */
export function entryOf(item: ItemKind, items: Item[] = []): Entry {
  const given = items.filter((i) => i.key === item.key)
  const first = given[0]
  const none = first?.value === dash && !isPicture(item)
  return {
    value: none || isPicture(item) ? '' : (first?.value ?? ''),
    unit: first?.unit || item.units?.[0] || '',
    none,
    hashes: isPicture(item) ? given.map((i) => i.value).filter((v) => v !== dash) : [],
  }
}

/** Digits as every keyboard types them, with a point for the comma. */
export function plainNumber(typed: string): string {
  return typed
    .trim()
    .replace(/[\uff10-\uff19\uff0e\uff0d]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0))
    .replace(/[,，。]/g, '.')
}

export type Fault = '' | 'missing' | 'number' | 'range'

/** What is wrong with an answer. */
export function faultOf(field: Field, entry: Entry): Fault {
  const { item, need } = field
  if (entry.none && need !== 'required') return ''
  if (isPicture(item)) return need !== 'wanted' && entry.hashes.length === 0 ? 'missing' : ''
  if (!entry.value.trim()) return need === 'wanted' ? '' : 'missing'
  if (item.type !== 'number') return ''
  const plain = plainNumber(entry.value)
  if (!/^-?\d{1,15}(\.\d{1,9})?$/.test(plain)) return 'number'
  const n = Number(plain)
  return n < (item.min ?? -Infinity) || n > (item.max ?? Infinity) ? 'range' : ''
}

/** The items that an operation says. */
export function itemsOf(fields: Field[], entries: Record<string, Entry>): Item[] {
  return fields.flatMap(({ item, need }): Item[] => {
    const entry = entries[item.key]
    if (!entry) return []
    if (entry.none && need !== 'required') return [{ key: item.key, value: dash }]
    if (isPicture(item)) return entry.hashes.map((value) => ({ key: item.key, value }))
    const value = item.type === 'number' ? plainNumber(entry.value) : entry.value.trim()
    if (!value) return []
    return [item.type === 'number' && entry.unit ? { key: item.key, value, unit: entry.unit } : { key: item.key, value }]
  })
}
