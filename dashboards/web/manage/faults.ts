// What is wrong with a file or a form, as the server says it in English, in the words of
// the screen. What is not known here stays as it is: better English than nothing.
import { has, t } from '../shared/i18n'
import type { Fault } from './types'

const patterns: [RegExp, string, string[]][] = [
  [/^is missing$/, 'fault.missing', []],
  [/^has no Chinese$/, 'fault.no_chinese', []],
  [/^missing column$/, 'fault.missing_column', []],
  [/^unknown column(?:; there are (.+))?$/, 'fault.unknown_column', ['columns']],
  [/^is there twice$/, 'fault.twice', []],
  [/^(\S+) is there already$/, 'fault.taken', ['value']],
  [/^(\S+) is in line (\d+) already$/, 'fault.repeated', ['value', 'line']],
  [/^"(.*)" is not registered$/, 'fault.unregistered', ['value']],
  [/^"(.*)" is none of (.+)'s$/, 'fault.not_theirs', ['value', 'tenant']],
  [/^"(.*)" is not a time such as (\S+)$/, 'fault.no_time', ['value', 'example']],
  [/^there is no site$/, 'fault.no_site', []],
  [/^(\d+) fields instead of (\d+)$/, 'fault.fields', ['n', 'want']],
  [/^more than (\d+) devices$/, 'fault.too_many', ['n']],
  [/^there are more than these (\d+) faults$/, 'fault.more', ['n']],
  [/^is empty: the first line names the columns (\S+)$/, 'fault.empty', ['columns']],
  [/^is text neither in /, 'fault.encoding', []],
  [/^identifier .*$/, 'fault.identifier', []],
  [/^a key has 1 to (\d+) bytes$/, 'fault.key', ['n']],
  [/^ts is the time of a payload$/, 'fault.ts', []],
  [/^"(.*)" is the key of another channel too$/, 'fault.key_twice', ['value']],
  [/^another channel measures (\S+) too$/, 'fault.quantity_twice', ['value']],
  [/^"(.*)" is not in the vocabulary$/, 'fault.quantity', ['value']],
  [/^limits (\S+) to (\S+) hold nothing$/, 'fault.limits', ['min', 'max']],
  [/^is not a format that can be read$/, 'fault.format', []],
]

/** What is wrong, in the language of the screen. */
export function faultWords(reason: string): string {
  for (const [pattern, key, names] of patterns) {
    const found = pattern.exec(reason)
    if (found) return t(key, Object.fromEntries(names.map((name, i) => [name, found[i + 1] ?? ''])))
  }
  return reason
}

/** What a field is called: a column of a file, or a place in a form such as "channels[2].key". */
export function fieldWords(field: string): string {
  const [, n, rest] = /^channels\[(\d+)\]\.?(\w*)/.exec(field) ?? []
  const name = n === undefined ? field : rest!
  const words = has(`field.${name}`) ? t(`field.${name}`) : ''
  return [n === undefined ? '' : t('manage.channel.n', { n: Number(n) + 1 }), words].filter(Boolean).join(' · ')
}

export interface FaultLine {
  line: number // of the file; 0: the whole
  faults: Fault[]
}

/** Faults by line, those of the whole file first. */
export function byLine(faults: Fault[]): FaultLine[] {
  const lines = new Map<number, Fault[]>()
  for (const f of faults) lines.set(f.line ?? 0, [...(lines.get(f.line ?? 0) ?? []), f])
  return [...lines].sort(([a], [b]) => a - b).map(([line, faults]) => ({ line, faults }))
}
