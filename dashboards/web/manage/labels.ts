// What labels are printed on, and how the server is asked for a file of them.

/** A sheet or roll as trace/label names it; lengths in mm. */
export interface Stock {
  name: string
  columns: number
  rows: number
  width: number
  height: number
  plain: boolean
  roll: boolean
}

export interface Stocks {
  stocks: Stock[]
  formats: Format[]
}

export type Format = 'pdf' | 'zpl' | 'svg' | 'png' | 'zip'

/** A stock of one's own, as it is typed; empty: what the server takes by itself. */
export interface Own {
  roll: boolean
  columns: number | ''
  rows: number | ''
  width: number | ''
  height: number | ''
  gap: number | ''
  rowGap: number | ''
  left: number | ''
  top: number | ''
}

export interface Choice {
  format: Format
  stock: string // its name, or a description of one's own
  skip: number
  copies: number
  dpi: number
  picture: 'svg' | 'png'
  lang: string
  scheme: string // what the code is built by; '' where there is no choice
}

/** What a code on a batch's packets may say. */
export interface Address {
  scheme: string
  address: string
}

/** The description of a stock that the server reads. */
export function describe(own: Own): string {
  const sizes: [string, number | ''][] = own.roll
    ? [['width', own.width], ['height', own.height]]
    : [['columns', own.columns], ['rows', own.rows], ['width', own.width], ['height', own.height], ['gap', own.gap], ['row-gap', own.rowGap], ['left', own.left], ['top', own.top]]
  const said = sizes.filter(([, value]) => value !== '').map(([name, value]) => `${name}=${value}`)
  return [...(own.roll ? ['roll'] : []), ...said].join(',')
}

/** The address of a file; what the format does not ask is left out. */
export function address(from: string, c: Choice): string {
  const query = new URLSearchParams({ format: c.format, stock: c.stock, lang: c.lang })
  if (c.scheme) query.set('scheme', c.scheme)
  if (c.format === 'pdf' && c.skip > 0) query.set('skip', String(c.skip))
  if (c.copies > 1 && (c.format === 'pdf' || c.format === 'zpl' || c.format === 'zip')) query.set('copies', String(c.copies))
  if (c.format === 'zip') query.set('picture', c.picture)
  if (c.format === 'zpl' || c.format === 'png' || (c.format === 'zip' && c.picture === 'png')) query.set('dpi', String(c.dpi))
  return from + (from.includes('?') ? '&' : '?') + query.toString()
}

/** How many sheets labels take, the first of which has some used up. */
export function sheets(labels: number, skip: number, perSheet: number): number {
  return Math.ceil((labels + skip) / perSheet)
}

/** The formats that a stock and a number of different labels leave. */
export function formatsFor(roll: boolean, different: number): Format[] {
  const all: Format[] = roll ? ['pdf', 'zpl', 'zip'] : ['pdf', 'zip']
  return different === 1 ? [...all, 'svg', 'png'] : all
}
