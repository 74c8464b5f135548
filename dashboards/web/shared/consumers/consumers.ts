// Complaints and alarms about codes, as the API tells of them.
import { t } from '../i18n'

export interface Answer {
  id: string
  words: string
  closes: boolean
  office: 'producer' | 'bureau'
  at: string
}

export interface Complaint {
  id: string
  code: string
  kind: string
  words: string
  place?: string
  phone?: string
  photo?: string
  language: string
  received: string
  state: 'received' | 'answered' | 'closed'
  answers: Answer[]
  may_answer: boolean
}

export interface Evidence {
  looks?: number
  devices?: number
  regions?: string[]
  markets?: string[]
  distance_km?: number
  minutes?: number
}

export interface ScanAlarm {
  id: string
  reason: string
  code: string
  raised: string
  evidence: Evidence
  acknowledged?: string
  acknowledged_by?: string
  finding?: string
}

/** What an alarm was raised for, a line each. */
export function evidenceWords(e: Evidence): string[] {
  const lines: string[] = []
  if (e.distance_km) lines.push(t('attention.evidence.travel', { km: e.distance_km, minutes: e.minutes ?? 0 }))
  if (e.looks) lines.push(t('attention.evidence.looks', { n: e.looks, devices: e.devices ?? 0 }))
  if (e.regions?.length) lines.push(t('attention.evidence.regions', { regions: e.regions.join(', ') }))
  if (e.markets?.length) lines.push(t('attention.evidence.markets', { markets: e.markets.join(', ') }))
  return lines
}
