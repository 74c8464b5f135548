// Recalls as /api/v1 has them, for every face that shows them.
import { number, unitName } from '../format'
import { t } from '../i18n'
import type { Text } from '../types'

export interface Amount {
  quantity: number
  unit: string
}

export interface Why {
  reason: string
  of: string
}

export interface Cause {
  kind: string
  subject: string
  from?: string
  to?: string
  reason: string
}

export const states = ['outstanding', 'located', 'returned', 'destroyed', 'released'] as const
export type State = (typeof states)[number]

export interface Holding extends Record<State, Amount> {
  batch: string
  code?: string
  product: string
  lot: string
  holder: string
  holder_name?: Text
  holder_phone?: string
  sale?: string
  outside?: boolean // sold to somebody without an account here
  buyer?: string
  buyer_phone?: string
  made: Amount
  held: Amount
  missing: Amount
  notified?: string
  cleared?: boolean
  why: Why[]
  may_report: boolean
}

export interface Start {
  kind: string
  id: string
  from?: string
  to?: string
  without?: string[]
}

/** What became of all that a holder has; without a holder, of all together. */
export interface Tally extends Record<State, Amount> {
  holder?: string
  holder_name?: Text
  recalled: Amount
  missing: Amount
}

export interface Step {
  id: string
  n: number
  kind: string
  at: string
  by: string
  account?: string
  reason?: string
  progress?: { batch: string; sale?: string; from?: State; to?: State; amount?: Amount; note?: string }
  cleared?: string[]
  added: number
  sealed: boolean
}

export interface Notice {
  step: string
  holder?: string
  channel: string
  due: string
  attempts: number
  next?: string
  sent?: string
  reason?: string
}

export interface Recall {
  id: string
  number: string
  tenant: string
  region: string
  opening: { start: Start; reason: Text; hazard: Text; advice: Text; contact?: string }
  by: string
  opened: string
  closed?: string
  whole: boolean
  manages: boolean
  may_close: boolean
  causes: Cause[]
  holdings: Holding[]
  found: Holding[]
  tally: Tally[]
  steps: Step[]
  notices: Notice[]
}

export interface Summary {
  id: string
  number: string
  tenant: string
  reason: Text
  opened: string
  closed?: string
  batches: number
  holdings: number
  done: number
}

export interface Plan {
  tenant: string
  causes: Cause[]
  left: Cause[]
  keys: string[]
  batches: number
  holdings: Holding[]
}

/** An amount as people write it: "12.5 千克". */
export function amount(a: Amount): string {
  const digits = (String(a.quantity).split('.')[1] ?? '').length
  return `${number(a.quantity, Math.min(digits, 6))} ${unitName(a.unit)}`
}

/** The Beijing day of an instant, as "2026-05-20". */
export const day = (at: string, minus = 0) => new Date(Date.parse(at) + 8 * 3_600_000 - minus).toISOString().slice(0, 10)

/** What a cause is, in words, with what it names. */
export function causeWords(c: Cause, name: (id: string) => string): string {
  const [first, last] = c.from && c.to ? [day(c.from), day(c.to, 1)] : ['', '']
  const period = first === last ? first : `${first} – ${last}`
  return t(`recall.cause.${c.kind}`, { of: name(c.subject), period })
}

/** Why a batch is in, in words. */
export function whyWords(why: Why[], name: (id: string) => string): string {
  return why.map((w) => t(`recall.why.${w.reason}`, { of: name(w.of) })).join(t('recall.and'))
}
