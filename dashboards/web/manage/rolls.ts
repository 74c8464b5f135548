// Rolls of unit codes, as /api/v1 tells of them.

export interface Roll {
  id: string
  tenant: string
  product?: string
  gtin?: string
  codes: number
  covered: boolean
  note?: string
  root: string
  account: string
  issued: string
}

export type State = 'issued' | 'printed' | 'bound' | 'void' | 'destroyed'

export interface Span {
  first: number
  last: number
  state: State
  printed: boolean
  batch?: string
}

export interface Step {
  id: string
  roll: string
  kind: Kind
  first: number
  last: number
  batch?: string
  withdraws?: string
  reason?: string
  account: string
  at: string
}

export type Kind = 'print' | 'reprint' | 'bind' | 'void' | 'destroy' | 'withdraw'

export interface Tally {
  roll: Roll
  counts: Record<'printed' | 'reprinted' | 'unused' | 'used' | 'voided' | 'destroyed' | 'unprinted', number>
  spans: Span[]
  steps: Step[]
}

/** The codes that a step most likely means: the first stretch that it may be done with. */
export function suggested(kind: Kind, spans: Span[]): { first: number; last: number } | undefined {
  const may: Record<Kind, (s: Span) => boolean> = {
    print: (s) => s.state === 'issued',
    reprint: (s) => s.state === 'printed' || s.state === 'bound',
    bind: (s) => s.state === 'printed',
    void: (s) => s.state === 'printed',
    destroy: (s) => s.printed && s.state === 'void',
    withdraw: () => false,
  }
  const span = spans.find(may[kind]) ?? (kind === 'void' ? spans.find((s) => s.state === 'issued') : undefined) ?? (kind === 'destroy' ? spans.find((s) => s.state === 'printed') : undefined)
  return span && { first: span.first, last: span.last }
}

/** Whether a binding still stands. */
export function stands(step: Step, steps: Step[]): boolean {
  return step.kind === 'bind' && !steps.some((s) => s.withdraws === step.id)
}
