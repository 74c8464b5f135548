// Tests and certificates of batches, as the API has them.
import type { Text } from '../shared/types'

export type Verdict = 'pass' | 'fail'

export interface Batch {
  id: string
  code: string
  product: string
  lot: string
  quantity: number
  unit: string
  opened?: string
}

export interface Item {
  name: string
  result: string
  unit?: string
  limit?: string
  method?: string
  verdict?: Verdict
  stated?: boolean
}

export interface Void {
  cause: 'issuer' | 'recall'
  reason: string
  at: string
}

export interface Report {
  id: string
  batch: string
  source: 'laboratory' | 'self'
  laboratory: string
  cma?: string
  number: string
  sampled: string
  reported: string
  items: Item[]
  verdict?: Verdict
  stated?: boolean
  file?: { hash: string; type: string }
  corrected_by?: string
  void?: Void
}

export interface Certificate {
  id: string
  batch: string
  number: string
  style: 'producer' | 'buyer'
  promise: string
  basis: string[]
  product: Text
  quantity: number
  unit: string
  origin: Text
  promiser: { name: Text; phone?: string }
  issued: string
  collected?: string[]
  parents?: string[]
  void?: Void
}

export interface Sample {
  id: string
  batch: string
  laboratory: string
  number: string
  asked: string
}

/** Whether a report holds: nobody corrected it or took it back. */
export const holds = (r: Report) => !r.corrected_by && !r.void

/** The certificate of a batch that is in force; of several batches' each batch's. */
export function inForce(certificates: Certificate[], batch: string): Certificate | undefined {
  return certificates.find((c) => c.batch === batch && !c.void)
}

/** The lines of a text that are not empty. */
export const lines = (s: string) => s.split('\n').map((l) => l.trim()).filter(Boolean)
