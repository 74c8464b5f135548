// Which site somebody means who stands at one, or knows its name.
import type { Site } from './types'

export interface Position {
  latitude: number // WGS 84 degrees
  longitude: number
}

/** Metres between two positions, on a sphere: good to half a percent. */
export function distance(a: Position, b: Position): number {
  const rad = Math.PI / 180
  const dLat = (b.latitude - a.latitude) * rad
  const dLon = (b.longitude - a.longitude) * rad
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a.latitude * rad) * Math.cos(b.latitude * rad) * Math.sin(dLon / 2) ** 2
  return 2 * 6_371_009 * Math.asin(Math.min(1, Math.sqrt(h)))
}

/** The sites that hold every word of a search, nearest first where the position is known, else by name. */
export function choose(sites: Site[], search: string, here: Position | undefined, name: (site: Site) => string): Site[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const found = sites.filter((s) => {
    const all = [s.id, s.name.zh, s.name.en, s.town.zh, s.town.en].join(' ').toLowerCase()
    return words.every((w) => all.includes(w))
  })
  const key = (s: Site) => numerals(name(s))
  const away = (s: Site) => (here ? distance(here, s) : 0)
  return found.sort((a, b) => away(a) - away(b) || key(a).localeCompare(key(b), 'zh-CN', { numeric: true }))
}

const digits = '零一二三四五六七八九'

/** 十二号塘 as 12号塘, so that ponds stand in the order in which people count them. */
function numerals(name: string): string {
  return name.replace(/([一二三四五六七八九])?十([一二三四五六七八九])?|[零一二三四五六七八九]/g, (n, tens?: string, ones?: string) =>
    n.includes('十') ? String((tens ? digits.indexOf(tens) : 1) * 10 + (ones ? digits.indexOf(ones) : 0)) : String(digits.indexOf(n)),
  )
}
