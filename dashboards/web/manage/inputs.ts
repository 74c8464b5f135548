// What may be used, what was bought of it, and how far it is.
import type { Text } from '../shared/types'

export interface Lot {
  id: string
  product: string
  batch: string
  expires?: string
  supplier: string
  quantity: number
  unit: string
  left: number
  recorded: string
}

export interface LotUse {
  operation?: string
  write_off?: string
  site?: string
  kind?: string
  at: string
  quantity: number
  reason?: string
  returned?: boolean
}

export interface Dose {
  min: number
  max: number
  unit: string
  basis: string
  per: string
}

export interface Label {
  species: string
  method?: string
  dose: Dose
  max_uses?: number
  wait: { days?: number; degree_days?: number }
  no_layers?: boolean
  no_milked?: boolean
  source: string
}

export interface Input {
  id: string
  kind: string
  name: Text
  registration?: string
  maker: string
  actives?: { name: string; cas?: string; content?: string }[] | null
  labels?: Label[] | null
}

export interface Ban {
  id: string
  name: string
  aliases?: string[] | null
  scope: string[]
  source: string
  from?: string
  until?: string
  lifts?: string
  shipped: boolean
}

/** Units in which things are bought, UCUM. */
export const units = ['L', 'mL', 'kg', 'g', 't', '{dose}']

const soon = 30 * 86_400_000

/** How urgent a date on a label is. */
export function expiryTone(expires: string, now: number): 'bad' | 'warn' | 'quiet' {
  const left = Date.parse(expires) - now
  return left <= 0 ? 'bad' : left < soon ? 'warn' : 'quiet'
}
