// What is wrong with a file or a form, as the server says it in English, in the words of
// the screen. What is not known here stays as it is: better English than nothing.
import { full } from '../shared/format'
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
  [/^"(.*)" is not a time such as (\S+T\S+[+Z]\S*)$/, 'fault.no_time', ['value', 'example']],
  [/^there is no site$/, 'fault.no_site', []],
  [/^(\d+) fields instead of (\d+)$/, 'fault.fields', ['n', 'want']],
  [/^more than (\d+) devices$/, 'fault.too_many', ['n']],
  [/^there are more than these (\d+) faults$/, 'fault.more', ['n']],
  [/^is empty: the first line names the columns (\S+)$/, 'fault.empty', ['columns']],
  [/^is text neither in /, 'fault.encoding', []],
  [/^device (\S+) was not installed at any site at (\S+)$/, 'fault.not_installed', ['device', 'time']],
  [/^"(.*)" is not a number$/, 'fault.no_number', ['value']],
  [/^"(.*)" has a decimal comma/, 'fault.comma', ['value']],
  [/^"(.*)" does not say which is the day/, 'fault.ambiguous', ['value']],
  [/^"(.*)" is not a time such as/, 'fault.no_moment', ['value']],
  [/^(?:"" )?is empty; a time is needed$/, 'fault.empty_time', []],
  [/^none is a time; there are: (.*)\. Name it/, 'fault.no_time_column', ['columns']],
  [/^is not named, and no column of the file names it$/, 'fault.no_device', []],
  [/^(\S+) is not known$/, 'fault.unknown', ['value']],
  [/^is neither CSV nor a workbook/, 'fault.no_table', []],
  [/^is an Excel file of before 2007/, 'fault.old_excel', []],
  [/^is not known$/, 'fault.row_unknown', []],
  [/^is not a number$/, 'fault.row_number', []],
  [/^is not a time such as .*Beijing$/, 'fault.row_time', []],
  [/^says the same as line (\d+)$/, 'fault.row_again', ['line']],
  [/^is no column of this list$/, 'fault.row_column', []],
  [/^unknown device$/, 'fault.unknown_device', []],
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
    if (found) return t(key, Object.fromEntries(names.map((name, i) => [name, name === 'time' ? full(Date.parse(found[i + 1]!)) : (found[i + 1] ?? '')])))
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
