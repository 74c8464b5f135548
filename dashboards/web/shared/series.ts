// What a chart shows of one quantity at one site: intervals in a row, and nothing
// where nothing was measured.
import { iso } from './format'
import type { Gap, Observation, Point, Series } from './types'

/** One place on the time axis. Without numbers, the line breaks there. */
export interface Row {
  time: number // Unix ms, start of the interval
  point?: Point
}

/** The server calls a longer time without a reading a gap, in milliseconds; a shorter one
 *  is the device's own pace, however narrow the intervals. */
const shortestGap = 15 * 60_000

/** The points with a break wherever the server reports a gap between two of them, or would. */
export function rows(series: Pick<Series, 'interval' | 'points' | 'gaps'>): Row[] {
  const out: Row[] = []
  const step = series.interval * 1000
  const gaps = series.gaps.map(span)
  for (const point of series.points) {
    const time = Date.parse(point.t)
    const before = out.at(-1)
    if (before && (time - before.time > shortestGap + step || gaps.some(([from, to]) => from < time && to > before.time + step))) {
      out.push({ time: before.time + step })
    }
    out.push({ time, point })
  }
  return out
}

/** A gap as Unix milliseconds. */
export function span(gap: Gap): [number, number] {
  return [Date.parse(gap.from), Date.parse(gap.to)]
}

/** Adds live readings to a series that was read from the server. */
export class LiveSeries {
  private readonly seen = new Set<string>()

  /** since is when the series was read: what happened before is in it already. */
  constructor(
    readonly series: Series,
    private readonly since: number,
  ) {}

  /** Adds an observation's usable reading; false where it has none or was counted already. */
  add(o: Observation): boolean {
    const reading = o.readings.find((r) => r.quantity === this.series.quantity)
    const time = Date.parse(o.time)
    const key = `${o.device} ${time}`
    if (!reading || reading.value === null || reading.flag === 4 || reading.flag === 9 || time <= this.since || this.seen.has(key)) return false
    this.seen.add(key)
    this.put(time, reading.value)
    return true
  }

  private put(time: number, value: number): void {
    const { points, interval } = this.series
    const step = Math.max(1, interval) * 1000
    // Intervals go on from the last one of the server, whatever its alignment.
    const origin = points.length ? Date.parse(points.at(-1)!.t) : 0
    const start = origin + Math.floor((time - origin) / step) * step
    let i = points.length
    while (i > 0 && Date.parse(points[i - 1]!.t) > start) i--
    const at = points[i - 1]
    if (at && Date.parse(at.t) === start) {
      points[i - 1] = {
        t: at.t,
        min: Math.min(at.min, value),
        mean: (at.mean * at.n + value) / (at.n + 1),
        max: Math.max(at.max, value),
        n: at.n + 1,
      }
    } else {
      points.splice(i, 0, { t: new Date(start).toISOString(), min: value, mean: value, max: value, n: 1 })
    }
  }
}

/** What an amount that adds up came to in an interval; for a level, its mean. */
export function amount(point: Point, sum: boolean): number {
  return sum ? point.mean * point.n : point.mean
}

/** The least span an axis shows, in steps of the last digit worth showing: smaller
 *  movements are noise and must not fill the picture. */
const leastSteps = 10

/** The axis for values from low to high of a quantity with these digits. */
export function extent(low: number, high: number, digits: number): [number, number] {
  const missing = leastSteps * 10 ** -digits - (high - low)
  return missing > 0 ? [low - missing / 2, high + missing / 2] : [low, high]
}

/** The share of good readings in the interval that begins at a time, as far as the server counted. */
export function goodShare(series: Pick<Series, 'quality'>, time: number): number | undefined {
  const q = series.quality?.find((q) => Date.parse(q.t) === time)
  return q && q.good / q.total
}

/** A share in percent; what is not all never reads as 100. */
export function percent(share: number): string {
  return `${share < 1 ? Math.min(99.9, Number((share * 100).toFixed(1))) : 100} %`
}

/** The points as RFC 4180 text. The mark at the start tells spreadsheets that it is UTF-8. */
export function csv(series: Pick<Series, 'points' | 'quality'>, header: string[], digits: number): string {
  // One decimal more than the screen: a mean is finer than a reading.
  const show = (v: number) => v.toFixed(digits + 1)
  const good = (at: string) => goodShare(series, Date.parse(at))?.toFixed(4) ?? ''
  const lines = series.points.map((p) => [iso(Date.parse(p.t)), show(p.min), show(p.mean), show(p.max), p.n, good(p.t)].join(','))
  return '\ufeff' + [header.map(quote).join(','), ...lines].join('\r\n') + '\r\n'
}

function quote(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field
}
