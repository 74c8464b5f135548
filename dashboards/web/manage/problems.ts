import { reasonClass } from './quarantine'
import type { JobProblem } from './types'

export interface ProblemGroup {
  first: JobProblem
  count: number
  lines: string // of the file, such as "2–49, 60"
}

/** Problems of one kind in one column together: a thousand rows from before a device was
 *  installed are one thing to mend. */
export function problemGroups(problems: JobProblem[]): ProblemGroup[] {
  const found = new Map<string, JobProblem[]>()
  for (const p of problems) {
    const key = [p.column, p.line ? '' : p.device, reasonClass(p.reason)].join('\n')
    found.set(key, [...(found.get(key) ?? []), p])
  }
  return [...found.values()].map((own) => ({ first: own[0]!, count: own.length, lines: spans(own.flatMap((p) => p.line ?? [])) }))
}

/** Ascending numbers as spans, the first ten of them. */
export function spans(numbers: number[]): string {
  const out: [number, number][] = []
  for (const n of [...new Set(numbers)].sort((a, b) => a - b)) {
    const last = out.at(-1)
    if (last && n === last[1] + 1) last[1] = n
    else out.push([n, n])
  }
  const words = out.slice(0, 10).map(([a, b]) => (a === b ? String(a) : `${a}–${b}`))
  return words.join(', ') + (out.length > 10 ? ' …' : '')
}
