import type { Frame } from './types'

export interface Group {
  reason: string // with what differs from frame to frame left out
  frames: Frame[] // newest first
  devices: string[]
}

/** Frames by the class of their reason, the largest first: "json at byte 12" and "json at
 *  byte 40" are one thing to mend. */
export function groups(frames: Frame[]): Group[] {
  const found = new Map<string, Frame[]>()
  for (const f of frames) {
    const key = reasonClass(f.reason)
    found.set(key, [...(found.get(key) ?? []), f])
  }
  return [...found]
    .map(([reason, own]) => ({ reason, frames: own.reverse(), devices: [...new Set(own.map((f) => f.device))] }))
    .sort((a, b) => b.frames.length - a.frames.length || a.reason.localeCompare(b.reason))
}

/** A reason without the numbers and names that differ from frame to frame. */
export function reasonClass(reason: string): string {
  return reason.replace(/\b\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)/g, '…').replace(/"(?:[^"\\]|\\.)*"/g, '"…"').replace(/\b\d+(?:\.\d+)?\b/g, '…')
}
