// What a technician has at hand is the number on the screen and the number on the
// bottle; what the server wants is slope and offset on the value as the model scales it.

export interface Line {
  slope: number
  offset: number
}

/** One comparison: what the screen showed, and what was right. */
export interface Comparison {
  shown: number
  right: number
}

export const identity: Line = { slope: 1, offset: 0 }

export type Fit = { line: Line } | { fault: 'missing' | 'same' | 'flat' }

/** The calibration after which the screen shows what is right. One comparison moves the
 *  offset, two decide slope and offset. The screen showed values by the calibration in
 *  force, which the new one replaces: its part is carried over. */
export function fit(points: Comparison[], inForce: Line = identity): Fit {
  const [a, b] = points.filter((p) => Number.isFinite(p.shown) && Number.isFinite(p.right))
  if (!a) return { fault: 'missing' }
  if (b && a.shown === b.shown) return { fault: 'same' }
  const k = b ? (b.right - a.right) / (b.shown - a.shown) : 1
  if (k === 0) return { fault: 'flat' }
  const c = a.right - k * a.shown
  return { line: { slope: tidy(k * inForce.slope), offset: tidy(k * inForce.offset + c) } }
}

/** What the screen will show instead of what it showed. */
export function after(shown: number, next: Line, inForce: Line = identity): number {
  return next.slope * ((shown - inForce.offset) / inForce.slope) + next.offset
}

/** The calibration of a channel in force at a time, of a history by time and then as recorded. */
export function inForceAt<C extends Line & { channel: string; from: string }>(history: C[], channel: string, at: number): C | undefined {
  return history.filter((c) => c.channel === channel && Date.parse(c.from) <= at).at(-1)
}

/** Eight significant digits: no sensor has more, and 0.30000000000000004 frightens people. */
function tidy(x: number): number {
  return Number(x.toPrecision(8))
}
