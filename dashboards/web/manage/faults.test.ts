import { beforeAll, describe, expect, test } from 'vitest'
import { setLanguage } from '../shared/i18n'
import { byLine, faultWords, fieldWords } from './faults'

beforeAll(() => setLanguage('zh-CN'))

describe('in the words of the screen', () => {
  test.each([
    ['"buoy" is not registered', '没有登记过“buoy”。'],
    ['sonde-3 is in line 7 already', '“sonde-3”在第 7 行已经有了。'],
    ['sonde-3 is there already', '“sonde-3”已经登记过。'],
    ['3 fields instead of 5', '这一行有 3 列，应为 5 列。'],
    ['"raft-1" is none of tea\'s', '“raft-1”不是 tea 的监测点。'],
    ['"1/7/2026" is not a time such as 2026-07-01T08:00:00+08:00', '“1/7/2026”不是时间，应写成 2026-07-01T08:00:00+08:00。'],
    ['device raft-1 was not installed at any site at 2026-07-31T16:00:00Z', '2026-08-01 00:00:00 时 raft-1 还没有安装在任何监测点。可在设备页“安装地点”补填起始时间。'],
    ['"坏了" is not a number', '“坏了”不是数。'],
    ['something that nobody foresaw', 'something that nobody foresaw'],
  ])('%s', (reason, words) => expect(faultWords(reason)).toBe(words))
})

test.each([
  ['name_zh', '中文名称'],
  ['channels[2].key', '通道 3 · 报文里的名字'],
  ['channels[0]', '通道 1'],
  ['nobody knows', ''],
])('%s', (field, words) => expect(fieldWords(field)).toBe(words))

test('by line, the whole file first', () => {
  const f = (line: number | undefined, field: string) => ({ line, field, reason: 'is missing' })
  expect(byLine([f(3, 'id'), f(2, 'id'), f(3, 'model'), f(undefined, 'file')]).map((l) => [l.line, l.faults.map((f) => f.field)])).toEqual([
    [0, ['file']],
    [2, ['id']],
    [3, ['id', 'model']],
  ])
})
