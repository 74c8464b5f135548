import { amount, extent, rows, type Row } from '../shared/series'
import type { Quantity, Series } from '../shared/types'

export interface Sparkline {
  path: string // of the line, broken where nothing was measured
  dots: { x: number; y: number }[] // points that stand alone between two gaps
  min: number
  max: number
}

/** Draws a series into a box of width by height for the time from … to; undefined without a point. */
export function sparkline(series: Series, { sum, digits }: Pick<Quantity, 'sum' | 'digits'>, from: number, to: number, width: number, height: number): Sparkline | undefined {
  const data = rows(series).filter((row) => row.time >= from - series.interval * 1000 && row.time <= to)
  const values = data.flatMap((row) => (row.point ? [amount(row.point, sum)] : []))
  if (values.length === 0) return undefined
  const [least, most] = [Math.min(...values), Math.max(...values)]
  // An amount stands on zero. A level that hardly changes is drawn as a level line, in the middle.
  const [low, high] = sum ? [0, most || 1] : extent(least, most, digits)
  const x = (row: Row) => round(((Math.max(from, row.time) - from) / (to - from)) * width)
  const y = (row: Row) => round(height - ((amount(row.point!, sum) - low) / (high - low)) * height)

  let path = ''
  const dots: Sparkline['dots'] = []
  data.forEach((row, i) => {
    if (!row.point) return
    const joined = Boolean(data[i - 1]?.point)
    if (!joined && !data[i + 1]?.point) dots.push({ x: x(row), y: y(row) })
    else path += `${joined ? 'L' : 'M'}${x(row)} ${y(row)}`
  })
  const points = data.flatMap((row) => (row.point ? [row.point] : []))
  return {
    path,
    dots,
    min: sum ? least : Math.min(...points.map((p) => p.min)),
    max: sum ? most : Math.max(...points.map((p) => p.max)),
  }
}

const round = (v: number) => Math.round(v * 10) / 10
