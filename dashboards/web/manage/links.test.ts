import { expect, test } from 'vitest'
import { address, common, defaults, others, readable, told, typeKey } from './links'

test('an address is written as a URI', () => {
  for (const [typed, want] of [
    ['https://shop.example/tea', 'https://shop.example/tea'],
    [' shop.example/tea?a=b#c ', 'https://shop.example/tea?a=b#c'],
    ['shop.example:8443/tea', 'https://shop.example:8443/tea'],
    ['https://shop.example/六堡茶', 'https://shop.example/%E5%85%AD%E5%A0%A1%E8%8C%B6'],
    ['https://茶.example/', 'https://xn--1qq.example/'],
    ['http://shop.example/', undefined],
    ['javascript:alert(1)', undefined],
    ['mailto:a@shop.example', undefined],
    ['https://me@shop.example/', undefined],
    ['https://shop/', undefined],
    ['two words.example', undefined],
    ['', undefined],
  ] as const) {
    const got = address(typed)
    if (typed.includes('茶.')) expect(got, typed).toMatch(/^https:\/\/xn--[a-z0-9]+\.example\/$/)
    else expect(got, typed).toBe(want)
  }
})

test('an address is shown as people read it, and leads where it led', () => {
  for (const [href, want] of [
    ['https://shop.example/%E5%85%AD%E5%A0%A1%E8%8C%B6?a=%26', 'https://shop.example/六堡茶?a=%26'],
    ['https://shop.example/a%20b', 'https://shop.example/a%20b'],
    ['https://shop.example/%ff', 'https://shop.example/%ff'],
  ] as const)
    expect(readable(href), href).toBe(want)
})

test('a default link has nothing that tells it from others', () => {
  const form = { id: 'x', type: 'defaultLink', href: 'a.example', title: ' 茶 ', lot: 'L', serial: '1', language: 'en', media: 'text/html', context: 'b2b', account: 'wang' }
  expect(told(form)).toEqual({ type: 'defaultLink', href: 'https://a.example/', title: '茶', lot: '', serial: '', language: '', media: '', context: '' })
  expect(told({ ...form, type: 'defaultLinkMulti' })).toMatchObject({ lot: '', language: 'en' })
  expect(told({ ...form, type: 'pip', href: 'nonsense here' })).toMatchObject({ lot: 'L', serial: '1', href: 'nonsense here' })
})

test('every kind is there once, and has a key', () => {
  const all = [...defaults, ...common, ...others]
  expect(new Set(all).size).toBe(all.length)
  expect(typeKey('consumerHandlingStorageInfo')).toBe('manage.link_type.consumer_handling_storage_info')
})
