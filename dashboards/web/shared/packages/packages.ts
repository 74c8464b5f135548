// Packages of sealed records for platforms, and the periods that one asks for.
import { beijing } from '../format'
import type { Text } from '../types'

export interface Package {
  id: string
  operator: string
  operator_name: Text
  first: string // days in Beijing, both included
  last: string
  account: string
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled' | 'deleted' | 'expired'
  created: string
  ended?: string
  expires?: string
  done: number
  total: number
  tally: { records: number; unsealed: number }
  files: { form: Form; size: number; sha256: string }[]
  reason?: string
  platform?: string // where it can be handed over to
  handover?: Handover
}

export type Form = 'json' | 'xlsx'

export interface Handover {
  form: Form
  sha256: string
  platform: string
  state: 'sending' | 'delivered' | 'refused' | 'given_up'
  asked: string
  ended?: string
  attempts: number
  due: string
  receipt?: string
  fault?: string
}

export interface Preview {
  records: number
  most: number
  kinds: { kind: string; records: number }[]
}

export interface Period {
  first: string
  last: string
}

/** How many days a package is of at most. */
export const maxDays = 366

const day = 86_400_000

const dayOf = (year: number, month: number, date: number) => new Date(Date.UTC(year, month, date)).toISOString().slice(0, 10)

export const presets = ['last_month', 'this_month', 'last_quarter', 'last_year'] as const

export type Preset = (typeof presets)[number]

/** The days of a period that people ask for, as it is now in Beijing. */
export function periodOf(preset: Preset, now: number): Period {
  const here = new Date(now + beijing)
  const [year, month, quarter] = [here.getUTCFullYear(), here.getUTCMonth(), 3 * Math.floor(here.getUTCMonth() / 3)]
  switch (preset) {
    case 'last_month':
      return { first: dayOf(year, month - 1, 1), last: dayOf(year, month, 0) }
    case 'this_month':
      return { first: dayOf(year, month, 1), last: here.toISOString().slice(0, 10) }
    case 'last_quarter':
      return { first: dayOf(year, quarter - 3, 1), last: dayOf(year, quarter, 0) }
    case 'last_year':
      return { first: dayOf(year - 1, 0, 1), last: dayOf(year - 1, 11, 31) }
  }
}

/** Why a period cannot be, as the end of a key; '' where it can. */
export function faultOf({ first, last }: Period, now: number): '' | 'missing' | 'reverse' | 'future' | 'long' {
  if (!first || !last) return 'missing'
  if (last < first) return 'reverse'
  if (first > new Date(now + beijing).toISOString().slice(0, 10)) return 'future'
  return (Date.parse(last) - Date.parse(first)) / day + 1 > maxDays ? 'long' : ''
}

/** Whether something is still to happen to a package by itself. */
export const moves = (p: Package) => p.state === 'waiting' || p.state === 'running' || p.handover?.state === 'sending'
