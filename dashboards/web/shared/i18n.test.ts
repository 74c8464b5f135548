import { beforeEach, describe, expect, test } from 'vitest'
import en from '../../../i18n/en.json'
import zh from '../../../i18n/zh-CN.json'
import { language, languages, pick, setLanguage, t, translate, type Messages } from './i18n'

beforeEach(() => localStorage.clear())

describe('translate', () => {
  const zhOnly = { 'a.hello': '你好，{name}', 'a.zh': '仅中文' }
  const enOnly = { 'a.hello': 'Hello, {name}', 'a.en': 'English only' }

  test.each<[string, (Messages | undefined)[], string, Record<string, string | number>, string]>([
    ['first language that has it', [zhOnly, enOnly], 'a.hello', { name: '李' }, '你好，李'],
    ['falls back', [zhOnly, enOnly], 'a.en', {}, 'English only'],
    ['skips what is not loaded', [undefined, enOnly], 'a.hello', { name: 'Li' }, 'Hello, Li'],
    ['the key where nobody has one', [zhOnly, enOnly], 'a.none', {}, 'a.none'],
    ['leaves a place that nobody fills', [enOnly], 'a.hello', {}, 'Hello, {name}'],
    ['fills with a number', [{ k: '{n}/{m}' }], 'k', { n: 0, m: 2 }, '0/2'],
    ['one thing', [{ k: '{n} days', 'k.one': '{n} day' }], 'k', { n: 1 }, '1 day'],
    ['one thing, counted in words', [{ k: '{n} days', 'k.one': '{n} day' }], 'k', { n: '1' }, '1 day'],
    ['several things', [{ k: '{n} days', 'k.one': '{n} day' }], 'k', { n: 11 }, '11 days'],
    ['one thing where the language says the same', [{ k: '{n} 天' } as Messages, { k: '{n} days', 'k.one': '{n} day' }], 'k', { n: 1 }, '1 天'],
    ['takes nothing from prototypes', [{ k: '{constructor}' }], 'k', {}, '{constructor}'],
  ])('%s', (_, chain, key, args, want) => {
    expect(translate(chain, key, args)).toBe(want)
  })
})

test.each([
  ['asked for by name', 'en', 'zh-CN', ['zh-CN'], 'en'],
  ['chosen before', null, 'en', ['zh-CN'], 'en'],
  ["the browser's", null, null, ['fr', 'en-GB', 'zh'], 'en'],
  ['base language', 'zh-TW', null, [], 'zh-CN'],
  ['case does not matter', 'ZH-cn', null, [], 'zh-CN'],
  ['unknown name', 'xx', null, ['en'], 'en'],
  ['nobody says', null, null, [], 'zh-CN'],
])('language: %s', (_, asked, stored, browser, want) => {
  expect(pick(['zh-CN', 'en'], asked, stored, browser)).toBe(want)
})

test('the shared files are the catalogues', async () => {
  expect(languages).toEqual(['zh-CN', 'en'])
  await setLanguage('en')
  expect(t('quantity.water.temperature')).toBe(en['quantity.water.temperature'])
  expect(document.documentElement.lang).toBe('en')
  await setLanguage('zh-CN')
  expect(t('quantity.water.temperature')).toBe(zh['quantity.water.temperature'])
  expect(language.value).toBe('zh-CN')
  expect(localStorage.getItem('tianhai.lang')).toBe('zh-CN')
})
