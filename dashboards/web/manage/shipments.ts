// Batches on their way, as the API has them, and the curve of a logger.
export interface Limits {
  min?: number // °C
  max?: number
  source: string
}

export interface Excursion {
  from: string
  to: string
  above: boolean
  peak: number // °C
  area: number // °C·h
}

/** What one logger says of a shipment. Temperatures are in °C. */
export interface Trip {
  device: string
  model?: string
  n: number
  rejected: number
  min: number
  mean: number
  max: number
  kinetic?: number // absent where no time is known
  hours: number
  coverage: number // 0 to 1
  gaps: { from: string; to: string }[]
  outside: number // hours
  area: number
  count: number
  excursions: Excursion[]
}

export interface Point {
  t: string
  min: number
  mean: number
  max: number
}

export interface Course extends Trip {
  kept: boolean
  interval: number // seconds
  points: Point[]
}

export interface Shipment {
  id: string
  tenant: string
  batches: string[]
  origin: string
  destination: string
  carrier?: string
  vehicle?: string
  loggers: string[]
  quantity: string
  limits: Limits
  departed: string
  arrived?: string
  recorded: string
  trips?: Trip[]
}

/** "0–4 °C", "≤ 4 °C". */
export function between({ min, max }: Limits): string {
  if (min !== undefined && max !== undefined) return `${min}–${max} °C`
  return min !== undefined ? `≥ ${min} °C` : `≤ ${max} °C`
}

export type Verdict = 'good' | 'strayed' | 'unknown'

/** How loggers' trips come out together: one that strayed makes it so, and one that said nothing leaves it open. */
export function verdict(trips: Trip[]): Verdict {
  if (trips.some((t) => t.count > 0)) return 'strayed'
  return trips.length === 0 || trips.some((t) => t.kinetic === undefined) ? 'unknown' : 'good'
}

/** The rule by which alarms of a shipment go begins so. */
export const ruleOf = (id: string) => `shipment/${id}/`

export interface Curve {
  line: string // path of the means
  band: string // path between least and most of each interval
  low: number // °C at the lower edge
  high: number
  limits: number[] // y of each limit
  strays: { x: number; width: number }[]
}

/** The curve of a logger in a box, from departure to arrival; undefined where there is nothing to draw. It breaks at gaps. */
export function curve(c: Course, limits: Limits, from: number, to: number, width: number, height: number): Curve | undefined {
  if (c.points.length === 0 || to <= from) return undefined
  const known = [limits.min, limits.max].filter((l): l is number => l !== undefined)
  const all = [...c.points.flatMap((p) => [p.min, p.max]), ...known]
  const pad = Math.max(1, (Math.max(...all) - Math.min(...all)) * 0.1)
  const low = Math.floor(Math.min(...all) - pad)
  const high = Math.ceil(Math.max(...all) + pad)
  const x = (at: number) => round((Math.min(Math.max(at, from), to) - from) * (width / (to - from)))
  const y = (v: number) => round(height - (v - low) * (height / (high - low)))
  const half = c.interval * 500
  const runs: Point[][] = []
  let last = NaN
  for (const p of c.points) {
    const at = Date.parse(p.t)
    const gap = c.gaps.some((g) => Date.parse(g.from) >= last && Date.parse(g.to) <= at + c.interval * 1000)
    if (runs.length === 0 || gap) runs.push([])
    runs.at(-1)!.push(p)
    last = at
  }
  const mid = (p: Point) => x(Date.parse(p.t) + half)
  const path = (points: [number, number][]) => 'M' + points.map(([a, b]) => `${a} ${b}`).join('L')
  return {
    line: runs.map((run) => path(run.map((p) => [mid(p), y(p.mean)])) + (run.length === 1 ? 'h.01' : '')).join(''),
    band: runs.map((run) => path([...run.map((p): [number, number] => [mid(p), y(p.max)]), ...run.toReversed().map((p): [number, number] => [mid(p), y(p.min)])]) + 'Z').join(''),
    low,
    high,
    limits: known.map(y),
    strays: c.excursions.map((e) => ({ x: x(Date.parse(e.from)), width: Math.max(2, round(x(Date.parse(e.to)) - x(Date.parse(e.from)))) })),
  }
}

const round = (n: number) => Math.round(n * 10) / 10
