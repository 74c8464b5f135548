import { describe as group, expect, it } from 'vitest'
import { address, describe, formatsFor, sheets, type Choice, type Own } from './labels'

const own: Own = { roll: false, columns: 4, rows: 10, width: 48.5, height: 25.4, gap: '', rowGap: '', left: '', top: '' }
const choice: Choice = { format: 'pdf', stock: '70x37', skip: 2, copies: 3, dpi: 203, picture: 'svg', lang: 'zh-CN', scheme: '' }

group('labels', () => {
  it('describes a stock as the server reads it', () => {
    expect(describe(own)).toBe('columns=4,rows=10,width=48.5,height=25.4')
    expect(describe({ ...own, gap: 0, left: 7.5 })).toBe('columns=4,rows=10,width=48.5,height=25.4,gap=0,left=7.5')
    expect(describe({ ...own, roll: true })).toBe('roll,width=48.5,height=25.4')
  })

  it('asks only what a format can have', () => {
    expect(address('/batches/b/labels', choice)).toBe('/batches/b/labels?format=pdf&stock=70x37&lang=zh-CN&skip=2&copies=3')
    expect(address('/batches/b/labels', { ...choice, skip: 0, copies: 1, scheme: 'gtin' })).toBe('/batches/b/labels?format=pdf&stock=70x37&lang=zh-CN&scheme=gtin')
    expect(address('/devices/labels?id=a', { ...choice, format: 'zpl', stock: 'roll-60x40' })).toBe('/devices/labels?id=a&format=zpl&stock=roll-60x40&lang=zh-CN&copies=3&dpi=203')
    expect(address('/x', { ...choice, format: 'svg' })).toBe('/x?format=svg&stock=70x37&lang=zh-CN')
    expect(address('/x', { ...choice, format: 'zip', picture: 'png', copies: 1 })).toBe('/x?format=zip&stock=70x37&lang=zh-CN&picture=png&dpi=203')
  })

  it('counts sheets', () => {
    expect(sheets(21, 0, 21)).toBe(1)
    expect(sheets(21, 1, 21)).toBe(2)
    expect(sheets(1, 20, 21)).toBe(1)
  })

  it('offers ZPL for rolls and one picture for one label', () => {
    expect(formatsFor(false, 1)).toEqual(['pdf', 'zip', 'svg', 'png'])
    expect(formatsFor(true, 7)).toEqual(['pdf', 'zpl', 'zip'])
  })
})
