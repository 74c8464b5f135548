import { expect, test } from 'vitest'
import { Outbox, type Ways } from './outbox'
import type { Operation } from './record'

const op = (id: string): Operation => ({ site: 'pond-1', id, kind: 'feed', at: '2026-11-20T04:00:00Z', items: [] })

/** A phone and a server that may be out of reach, or lose its answers. */
class World implements Ways {
  stored: string | null = null
  full = false
  reach: 'yes' | 'no' | 'deaf' = 'yes' // deaf: the request arrives, the answer does not
  server = new Map<string, Operation>()
  refuse = new Set<string>()
  sent: string[][] = []
  read = () => this.stored
  write = (text: string) => {
    if (!this.full) this.stored = text
  }
  send: Ways['send'] = async (ops) => {
    if (this.reach === 'no') throw new Error('network')
    this.sent.push(ops.map((o) => o.id))
    const outcomes = ops.map((o) => {
      if (this.refuse.has(o.id)) return { id: o.id, outcome: 'refused' as const, problem: { code: 'item_missing', title: '缺' } }
      const known = this.server.has(o.id)
      this.server.set(o.id, o)
      return { id: o.id, outcome: known ? ('exists' as const) : ('created' as const) }
    })
    if (this.reach === 'deaf') throw new Error('network')
    return outcomes
  }
}

const ids = (box: Outbox) => box.waiting.map((w) => w.op.id)

test('what is saved out of reach survives the page and arrives once', async () => {
  const w = new World()
  w.reach = 'no'
  const box = new Outbox(w)
  expect(box.add(op('a'))).toBe(true)
  expect(box.add(op('b'))).toBe(true)
  await box.flush()
  expect([ids(box), box.state.offline]).toEqual([['a', 'b'], true])

  const later = new Outbox(w) // the page was closed
  expect(ids(later)).toEqual(['a', 'b'])
  w.reach = 'deaf'
  await later.flush()
  expect(ids(later)).toEqual(['a', 'b'])
  w.reach = 'yes'
  await later.flush()
  expect([ids(later), [...w.server.keys()], later.state.offline]).toEqual([[], ['a', 'b'], false])
})

test('a refused record stays, is not sent again, and holds up nobody', async () => {
  const w = new World()
  w.refuse.add('a')
  const box = new Outbox(w)
  box.add(op('a'))
  box.add(op('b'))
  await new Promise((done) => setTimeout(done))
  await box.flush()
  await box.flush()
  expect([ids(box), box.waiting[0]!.problem!.code, [...w.server.keys()]]).toEqual([['a'], 'item_missing', ['b']])
  expect(w.sent.flat().filter((id) => id === 'a').length).toBe(1)
  box.drop('a')
  expect(new Outbox(w).waiting).toEqual([])
})

test('more than one request holds', async () => {
  const w = new World()
  w.reach = 'no'
  const box = new Outbox(w)
  for (let i = 0; i < 250; i++) box.add(op(`${i}`))
  await new Promise((done) => setTimeout(done))
  w.reach = 'yes'
  await box.flush()
  expect([w.server.size, w.sent.map((s) => s.length)]).toEqual([250, [100, 100, 50]])
})

test('two tabs do not lose each other’s records', () => {
  const w = new World()
  w.reach = 'no'
  const one = new Outbox(w)
  const other = new Outbox(w)
  one.add(op('a'))
  other.add(op('b'))
  expect(ids(new Outbox(w))).toEqual(['a', 'b'])
})

test('a full phone is told, not trusted', () => {
  const w = new World()
  w.full = true
  expect(new Outbox(w).add(op('a'))).toBe(false)
})
