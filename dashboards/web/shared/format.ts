// How numbers and times are written. Every time is Beijing time whatever the
// phone's zone; digits are Latin and years Gregorian in every language.
import { has, language, t } from './i18n'
import type { Flag, Quantity, Text } from './types'

/** The offset of Beijing time, which has no summer time, in milliseconds. */
export const beijing = 8 * 3_600_000

const day = 86_400_000

const locale = () => language.value + '-u-ca-gregory-nu-latn'

function date(at: number, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(locale(), { timeZone: 'Asia/Shanghai', hourCycle: 'h23', ...options }).format(at)
}

/** The Chinese or English of a name, the other one where that is empty. */
export function text(name: Text | undefined): string {
  if (!name) return ''
  return language.value.startsWith('zh') ? name.zh || name.en || '' : name.en || name.zh
}

/** A number with a fixed count of decimals. */
export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
}

/** Whether a quantity is a switch: a machine's state, 0 or 1. */
export function isSwitch(quantity: Pick<Quantity, 'id' | 'unit'>): boolean {
  return quantity.id.startsWith('device.') && quantity.unit === '1'
}

/** A reading without its unit: a dash when missing, on or off for a switch. */
export function value(v: number | null | undefined, quantity: Quantity | undefined, flag: Flag = 1): string {
  if (v === undefined || v === null || flag === 9) return '–'
  if (quantity && isSwitch(quantity)) return t(v >= 0.5 ? 'web.on' : 'web.off')
  return number(v, quantity?.digits ?? 2)
}

/** A reading with its unit. */
export function measure(v: number | null | undefined, quantity: Quantity | undefined, flag: Flag = 1): string {
  const s = value(v, quantity, flag)
  return quantity?.symbol && s !== '–' ? `${s} ${quantity.symbol}` : s
}

/** A UCUM unit as people write it: "mL/[mu_chn]" is 毫升/亩. */
export function unitName(ucum: string): string {
  return ucum
    .split('/')
    .map((part, n) => {
      if (n > 0 && has(`unit.per.${part}`)) return t(`unit.per.${part}`) // a day, not days
      return has(`unit.${part}`) ? t(`unit.${part}`) : part.replace(/[{}[\]]/g, '')
    })
    .join('/')
}

/** What a quantity is called. */
export function quantityName(id: string): string {
  return t(`quantity.${id}`)
}

/** "14:05" today, with the date on other days. */
export function clock(at: number, now: number): string {
  const sameDay = Math.floor((at + beijing) / day) === Math.floor((now + beijing) / day)
  return sameDay ? date(at, { hour: '2-digit', minute: '2-digit' }) : moment(at)
}

/** Day, hour and minute. */
export function moment(at: number): string {
  return date(at, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' })
}

/** Date and time in full, year first: 11/12 means two days, 2026-11-12 only one. */
export function full(at: number): string {
  return iso(at).slice(0, 19).replace('T', ' ')
}

type Unit = 'second' | 'minute' | 'hour' | 'day'

/** The largest unit that leaves a count of at least one. */
function scale(seconds: number): [number, Unit] {
  if (seconds < 60) return [Math.floor(seconds), 'second']
  if (seconds < 3600) return [Math.floor(seconds / 60), 'minute']
  if (seconds < 86400) return [Math.floor(seconds / 3600), 'hour']
  return [Math.floor(seconds / 86400), 'day']
}

/** Chinese set beside digits with the space that the page's own sentences have. */
const spaced = (words: string) => words.replace(/(\d)(?=\p{Script=Han})/gu, '$1 ')

/** "3 minutes ago". A time ahead of the clock counts as now. */
export function age(at: number, now: number): string {
  const seconds = Math.max(0, (now - at) / 1000)
  if (seconds < 5) return t('web.just_now')
  const [n, unit] = scale(seconds)
  return spaced(new Intl.RelativeTimeFormat(locale(), { style: 'short' }).format(-n, unit))
}

/** "3 min", "2 hr". */
export function duration(seconds: number): string {
  const [n, unit] = scale(Math.max(0, seconds))
  return spaced(new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'short' }).format(n))
}

/** RFC 3339 with Beijing's offset, for files that other programs read. */
export function iso(at: number): string {
  return new Date(at + beijing).toISOString().replace(/\.\d+Z$/, '+08:00')
}
