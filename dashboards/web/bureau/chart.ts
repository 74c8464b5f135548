// How a series is drawn: mean as a line, minimum to maximum as a band, nothing where
// nothing was measured, and no smoothing.
import type { EChartsCoreOption } from 'echarts/core'
import { beijing, full, isSwitch, measure, number, quantityName } from '../shared/format'
import { t } from '../shared/i18n'
import { amount, extent, goodShare, percent, rows, span, type Row } from '../shared/series'
import type { Alert, Quantity, Series } from '../shared/types'

export interface Drawing {
  series: Series
  quantity: Quantity
  alerts: Alert[] // of this site and quantity
  from: number // Unix ms
  to: number
}

const ink = '#16241f'
const soft = '#4a5b54'
const line = '#0b6b4f'
const band = 'rgba(11, 107, 79, 0.18)'
const bad = '#b3261e'

// The axis counts in UTC; times are moved so that it shows Beijing's.
const shift = (at: number) => at + beijing

/** The chart's whole state, for setOption. */
export function option(d: Drawing): EChartsCoreOption {
  const data = rows(d.series)
  return {
    animation: false,
    useUTC: true,
    textStyle: { fontFamily: 'sans-serif', fontSize: 13, color: ink },
    aria: { enabled: true, label: { description: description(d) } },
    grid: { left: 8, right: 16, top: 44, bottom: 52, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    legend: { top: 4, right: 8, data: legend(d.quantity), selectedMode: false, textStyle: { color: ink } },
    xAxis: { type: 'time', min: shift(d.from), max: shift(d.to), axisLabel: { color: soft, hideOverlap: true, formatter: labels }, axisLine: { lineStyle: { color: soft } } },
    yAxis: yAxis(d.quantity),
    dataZoom: [
      { type: 'inside', zoomOnMouseWheel: 'ctrl', moveOnMouseWheel: false, filterMode: 'none' },
      { type: 'slider', height: 18, bottom: 8, filterMode: 'none', showDetail: false, brushSelect: false, ...slider },
    ],
    tooltip: { trigger: 'axis', confine: true, transitionDuration: 0, axisPointer: { type: 'line' }, formatter: (params: unknown) => tooltip(params, data, d) },
    series: lines(d, data),
  }
}

const slider = {
  borderColor: '#cbd6d1',
  fillerColor: 'rgba(11, 107, 79, 0.08)',
  handleStyle: { borderColor: line },
  moveHandleStyle: { color: '#a9bab2' },
  dataBackground: { lineStyle: { color: '#a9bab2' }, areaStyle: { color: '#dfe8e4' } },
  selectedDataBackground: { lineStyle: { color: line }, areaStyle: { color: '#cfe3da' } },
}

const labels = { year: '{yyyy}', month: '{MM}-{dd}', day: '{MM}-{dd}', hour: '{HH}:{mm}', minute: '{HH}:{mm}' }

function yAxis(q: Quantity): object {
  return {
    type: 'value',
    name: q.symbol || quantityName(q.id),
    nameTextStyle: { color: soft, align: 'left' },
    scale: !q.sum,
    ...(q.sum ? {} : leastExtent(q.digits)),
    ...(isSwitch(q) ? { min: 0, max: 1, interval: 1 } : {}),
    axisLabel: { color: soft, formatter: (v: number) => (isSwitch(q) ? t(v ? 'web.on' : 'web.off') : number(v, decimals(v))) },
    splitLine: { lineStyle: { color: '#e1e8e4' } },
  }
}

// Without bounds of its own an axis fits the data tightly; these hold where that would show noise only.
function leastExtent(digits: number): object {
  type Range = { min: number; max: number }
  const bound = (pick: 0 | 1) => ({ min, max }: Range) => {
    const [low, high] = extent(min, max, digits)
    if (low === min) return null
    const step = 5 * 10 ** -digits
    return Number((step * [Math.floor(low / step), Math.ceil(high / step)][pick]!).toFixed(digits))
  }
  return { min: bound(0), max: bound(1) }
}

// An axis may step finer than a reading is written.
function decimals(v: number): number {
  return Math.min(3, (String(Number(v.toFixed(3))).split('.')[1] ?? '').length)
}

function legend(q: Quantity): object[] {
  if (q.sum) return [{ name: t('web.chart.total') }]
  if (isSwitch(q)) return []
  return [{ name: t('web.chart.mean') }, { name: t('web.chart.band'), icon: 'rect' }]
}

function lines(d: Drawing, data: Row[]): object[] {
  const q = d.quantity
  const column = (pick: (row: Row) => number | null) => data.map((row) => [shift(row.time), pick(row)])
  const main = {
    name: q.sum ? t('web.chart.total') : t('web.chart.mean'),
    type: 'line',
    step: isSwitch(q) || q.sum ? 'end' : false,
    data: column((row) => (row.point ? amount(row.point, q.sum) : null)),
    // A point between two gaps has no line to be seen by.
    showSymbol: true,
    showAllSymbol: true,
    symbol: 'circle',
    symbolSize: (_: unknown, p: { dataIndex: number }) => (alone(data, p.dataIndex) ? 5 : 0),
    lineStyle: { color: line, width: 2 },
    itemStyle: { color: line },
    areaStyle: q.sum ? { color: band } : undefined,
    markArea: { silent: true, data: [...shaded(d), ...episodes(d)] },
    markLine: limits(d),
    z: 3,
  }
  if (q.sum || isSwitch(q)) return [main]
  const edge = { type: 'line', stack: 'band', stackStrategy: 'all', symbol: 'none', lineStyle: { opacity: 0 }, silent: true }
  return [
    { ...edge, name: 'min', data: column((row) => row.point?.min ?? null) },
    {
      ...edge,
      name: t('web.chart.band'),
      data: column((row) => (row.point ? row.point.max - row.point.min : null)),
      areaStyle: { color: band },
      itemStyle: { color: band },
    },
    main,
  ]
}

function alone(data: Row[], i: number): boolean {
  return !data[i - 1]?.point && !data[i + 1]?.point
}

function shaded(d: Drawing): object[] {
  return d.series.gaps.map((gap) => {
    const [from, to] = span(gap)
    return [{ xAxis: shift(from), itemStyle: { color: 'rgba(74, 91, 84, 0.10)' } }, { xAxis: shift(to) }]
  })
}

function episodes(d: Drawing): object[] {
  return d.alerts.map((a) => [
    { xAxis: shift(Math.max(d.from, Date.parse(a.began))), itemStyle: { color: 'rgba(179, 38, 30, 0.10)' } },
    { xAxis: shift(a.ended ? Date.parse(a.ended) : d.to) },
  ])
}

function limits(d: Drawing): object {
  const values = new Set(d.alerts.filter((a) => a.value !== undefined).map((a) => a.limit))
  return {
    silent: true,
    symbol: 'none',
    lineStyle: { color: bad, type: 'dashed', width: 1.5 },
    label: { position: 'insideStartTop', color: bad, textBorderColor: '#fff', textBorderWidth: 3, formatter: (p: { value: number }) => `${t('web.limit')} ${measure(p.value, d.quantity)}` },
    data: [...values].map((yAxis) => ({ yAxis })),
  }
}

// An element rather than HTML text: the page's policy forbids style attributes, and
// nothing in a name can then be markup.
function tooltip(params: unknown, data: Row[], d: Drawing): HTMLElement {
  const q = d.quantity
  const index = (params as { dataIndex: number }[])[0]?.dataIndex ?? -1
  const row = data[index]
  const box = document.createElement('div')
  const say = (words: string, strong = false) => {
    const p = document.createElement('p')
    p.textContent = words
    if (strong) p.className = 'strong'
    box.append(p)
  }
  if (!row) return box
  say(full(row.time))
  if (!row.point) say(t('web.no_data'))
  else if (q.sum || isSwitch(q)) say(measure(amount(row.point, q.sum), q), true)
  else {
    say(`${t('web.chart.mean')} ${measure(row.point.mean, q)}`, true)
    say(`${t('web.chart.band')} ${number(row.point.min, q.digits)} – ${measure(row.point.max, q)}`)
  }
  const share = goodShare(d.series, row.time)
  if (share !== undefined) say(`${t('web.chart.good')} ${percent(share)}`)
  return box
}

/** The chart in one sentence, for whoever cannot see it. */
export function description(d: Drawing): string {
  const name = quantityName(d.quantity.id)
  const points = d.series.points
  if (points.length === 0) return t('web.chart.empty', { quantity: name })
  return t('web.chart.description', {
    quantity: name,
    from: full(d.from),
    to: full(d.to),
    min: measure(Math.min(...points.map((p) => p.min)), d.quantity),
    max: measure(Math.max(...points.map((p) => p.max)), d.quantity),
    gaps: d.series.gaps.length,
  })
}
