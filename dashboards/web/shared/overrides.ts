// What gates refuse and officers allow, as the bureau and the farm read it.
import { text } from './format'
import { has, t } from './i18n'
import type { Text } from './types'

export interface Refusal {
  gate: string
  product?: string
  name?: Text
  operation?: string
  date?: string
  earliest?: string
  limit?: number
  have?: number
  number?: string
}

export interface Override {
  id: string
  tenant: string
  site: string
  batch?: string
  acts: string[]
  refusals: Refusal[]
  reason: string
  account: string
  asked: string
  decision?: { granted: boolean; reason: string; region: string; decided: string; until?: string }
  uses?: { act: string; subject: string }[]
}

export interface LateUse {
  operation: string
  batch: string
  tenant: string
  site: string
  refusals: Refusal[]
  found: string
  withdrawn?: boolean
  lot: string
  code?: string
  harvest: string
}

/** The acts that can be asked about without an operation at hand. */
export const acts = ['harvest', 'catch', 'collect', 'exit', 'slaughter', 'certificate', 'sale'] as const

/** Why a gate refuses, in words. */
export function refusalWords(r: Refusal): string {
  const key = `problem.gate_${r.gate}`
  return has(key) ? t(key, { name: text(r.name), date: r.date ?? '', earliest: r.earliest || '—', number: r.number ?? '' }) : r.gate
}

/** Names what a refusal is about, as the server does. */
export const refusalKey = (r: Refusal) => `${r.gate}/${r.operation || r.number || ''}/${r.product ?? ''}`

/** Whether no officer can lift it. */
export const final = (r: Refusal) => r.gate === 'banned' || r.gate === 'lot_expired'

export type OverrideState = 'open' | 'granted' | 'ended' | 'declined'

export function stateOf(o: Override, now: number): OverrideState {
  if (!o.decision) return 'open'
  if (!o.decision.granted) return 'declined'
  return o.decision.until && Date.parse(o.decision.until) <= now ? 'ended' : 'granted'
}
