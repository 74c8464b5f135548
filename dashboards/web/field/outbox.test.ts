import { IDBFactory } from 'fake-indexeddb'
import 'fake-indexeddb/auto'
import { beforeEach, expect, test } from 'vitest'
import { ApiError } from '../shared/api'
import { largest, NoRoom, Outbox, type Ways } from './outbox'
import type { Move } from './moves'
import type { Operation } from './record'
import { type Kept, openSafe, type Safe } from './safe'

const op = (id: string, ...pictures: string[]): Operation => ({
  site: 'pond-1', id, kind: 'feed', at: '2026-11-20T04:00:00Z', items: pictures.map((value) => ({ key: 'photo', value })),
})
const picture = (text: string) => new Blob([text], { type: 'image/jpeg' })

/** A phone and a server that may be out of reach, or lose its answers. */
class World implements Ways {
  full = false
  reach: 'yes' | 'no' | 'deaf' = 'yes' // deaf: the request arrives, the answer does not
  server = new Map<string, Operation>()
  has = new Map<string, number>() // pictures at the server: how often each came
  refuse = new Set<string>()
  unwanted = new Set<string>() // pictures
  sent: string[][] = []
  order: string[] = [] // of what arrived
  login = 'li'
  moved: string[] = [] // movements that arrived, as often as they did

  open = async (): Promise<Safe> => {
    const safe = await openSafe(this.login)
    const guard = <A extends unknown[]>(f: (...a: A) => Promise<void>) => (...a: A) => (this.full ? Promise.reject(new DOMException('', 'QuotaExceededError')) : f(...a))
    return new Proxy(safe, { get: (s, key) => (key === 'put' || key === 'keep' ? guard(s[key].bind(s) as never) : typeof s[key as keyof Safe] === 'function' ? (s[key as keyof Safe] as () => unknown).bind(s) : s[key as keyof Safe]) })
  }
  hash = async (bytes: ArrayBuffer) => `hash of ${new TextDecoder().decode(bytes)}`
  upload = async (k: Kept) => {
    if (this.reach === 'no') throw new ApiError('network')
    if (this.unwanted.has(k.hash)) throw new ApiError('no_picture', 400)
    this.has.set(k.hash, (this.has.get(k.hash) ?? 0) + 1)
    this.order.push(k.hash)
    if (this.reach === 'deaf') throw new ApiError('network')
  }
  move = async (m: Move) => {
    if (this.reach === 'no') throw new ApiError('network')
    if (this.refuse.has(m.id)) throw new ApiError('short', 409, '', '', [], {}, '不够')
    this.moved.push(m.id)
    this.order.push(m.id)
    if (this.reach === 'deaf') throw new ApiError('network')
  }
  send: Ways['send'] = async (ops) => {
    if (this.reach === 'no') throw new ApiError('network')
    this.sent.push(ops.map((o) => o.id))
    const outcomes = ops.map((o) => {
      if (this.refuse.has(o.id)) return { id: o.id, outcome: 'refused' as const, problem: { code: 'item_missing', title: '缺' } }
      if (o.items.some((i) => !this.has.has(i.value))) return { id: o.id, outcome: 'refused' as const, problem: { code: 'invalid', title: '', field: 'items.photo' } }
      const known = this.server.has(o.id)
      this.server.set(o.id, o)
      this.order.push(o.id)
      return { id: o.id, outcome: known ? ('exists' as const) : ('created' as const) }
    })
    if (this.reach === 'deaf') throw new ApiError('network')
    return outcomes
  }
}

const move = (id: string, from: string[], to: string[], more: Partial<Move> = {}): Move => ({
  id, tenant: 'oysters', kind: 'process', at: '2026-11-20T04:00:00Z',
  inputs: from.map((batch) => ({ batch, amount: { quantity: 1, unit: 'kg' } })),
  outputs: to.map((batch) => ({ batch, product: 'oyster', lot: batch, amount: { quantity: 1, unit: 'kg' } })), ...more,
})

const ids = (box: Outbox) => box.waiting.map((w) => w.op.id)
const rest = async (box: Outbox) => {
  await new Promise((done) => setTimeout(done, 5))
  while (box.state.sending) await new Promise((done) => setTimeout(done, 1))
}

beforeEach(() => {
  indexedDB = new IDBFactory()
  localStorage.clear()
})

test('what is saved out of reach survives the page and arrives once', async () => {
  const w = new World()
  w.reach = 'no'
  const box = new Outbox(w)
  expect(await box.add(op('a'))).toBe(true)
  expect(await box.add(op('b'))).toBe(true)
  await rest(box)
  expect([ids(box), box.state.offline]).toEqual([['a', 'b'], true])

  const later = new Outbox(w) // the page was closed
  w.reach = 'deaf'
  await later.flush()
  expect(ids(later)).toEqual(['a', 'b'])
  w.reach = 'yes'
  await later.flush()
  expect([ids(later), [...w.server.keys()], later.state.offline]).toEqual([[], ['a', 'b'], false])
})

test('a picture goes up before its record, and leaves the phone after it', async () => {
  const w = new World()
  w.reach = 'no'
  const box = new Outbox(w)
  const hash = await box.take(picture('raft'), 'pond-1')
  expect(await (await box.picture(hash))!.text()).toBe('raft')
  await box.add(op('a', hash))
  await rest(box)
  const later = new Outbox(w)
  await later.flush()
  expect([ids(later), later.pictures[hash]?.sent]).toEqual([['a'], false])
  w.reach = 'deaf'
  await later.flush()
  w.reach = 'yes'
  await later.flush()
  expect([ids(later), w.order.at(-1), [...w.server.keys()]]).toEqual([[], 'a', ['a']])
  expect([await later.picture(hash), later.pictures[hash]]).toEqual([undefined, undefined])
})

test('a record that is saved while others are sent waits for its picture, and goes with the same round', async () => {
  const w = new World()
  const box = new Outbox(w)
  const send = w.send
  w.send = async (ops) => {
    w.send = send
    const hash = await box.take(picture('late'), 'pond-1')
    await box.add(op('b', hash))
    return send(ops)
  }
  await box.add(op('a'))
  await rest(box)
  expect([w.order, ids(box)]).toEqual([['a', 'hash of late', 'b'], []])
})

test('a picture that the server has forgotten meanwhile is sent again, once', async () => {
  const w = new World()
  const box = new Outbox(w)
  const hash = await box.take(picture('raft'), 'pond-1')
  await rest(box)
  expect(box.pictures[hash]!.sent).toBe(true)
  w.has.clear()
  await box.add(op('a', hash))
  await rest(box)
  expect([ids(box), w.has.get(hash), [...w.server.keys()]]).toEqual([[], 1, ['a']])
})

test('a picture that the server does not want is told with its record, and holds up no other', async () => {
  const w = new World()
  const box = new Outbox(w)
  w.reach = 'no'
  const hash = await box.take(picture('a page'), 'pond-1')
  await box.add(op('a', hash))
  await box.add(op('b'))
  await rest(box)
  w.unwanted.add(hash)
  w.reach = 'yes'
  await box.flush()
  expect([ids(box), box.waiting[0]!.problem!.code, [...w.server.keys()]]).toEqual([['a'], 'no_picture', ['b']])
  expect(box.pictures[hash]!.problem).not.toBe('')
})

test('a refused record stays, is not sent again, and holds up nobody', async () => {
  const w = new World()
  w.refuse.add('a')
  const box = new Outbox(w)
  await box.add(op('a'))
  await box.add(op('b'))
  await rest(box)
  await box.flush()
  await box.flush()
  expect([ids(box), box.waiting[0]!.problem!.code, [...w.server.keys()]]).toEqual([['a'], 'item_missing', ['b']])
  expect(w.sent.flat().filter((id) => id === 'a').length).toBe(1)
  await box.drop('a')
  expect(await (await w.open()).records()).toEqual([])
})

test('more than one request holds', async () => {
  const w = new World()
  const safe = await w.open()
  for (let i = 100; i < 350; i++) await safe.put({ op: op(`${i}`) })
  await new Outbox(w).flush()
  expect([w.server.size, w.sent.map((s) => s.length)]).toEqual([250, [100, 100, 50]])
})

test('two tabs do not lose each other’s records, and nobody sees another’s', async () => {
  const w = new World()
  w.reach = 'no'
  const [one, other] = [new Outbox(w), new Outbox(w)]
  await one.add(op('a'))
  await other.add(op('b'))
  expect((await (await w.open()).records()).map((r) => r.op.id)).toEqual(['a', 'b'])
  w.login = 'wei'
  expect(await (await w.open()).records()).toEqual([])
})

test('a full phone is told, not trusted', async () => {
  const w = new World()
  const box = new Outbox(w)
  await rest(box)
  w.full = true
  expect(await box.add(op('a'))).toBe(false)
  await expect(box.take(picture('raft'), 'pond-1')).rejects.toEqual(new NoRoom('none'))
})

test('pictures are bounded, each and all', async () => {
  const w = new World()
  w.reach = 'no'
  const box = new Outbox(w)
  const huge = { size: largest + 1, type: 'image/jpeg', arrayBuffer: async () => new ArrayBuffer(0) } as Blob
  await expect(box.take(huge, 'pond-1')).rejects.toEqual(new NoRoom('large'))
  const safe = await w.open()
  for (let i = 0; i < 20; i++) await safe.keep({ hash: `${i}`, site: 'pond-1', type: 'image/jpeg', size: largest, at: Date.now(), sent: false })
  await expect(box.take(picture('one more'), 'pond-1')).rejects.toEqual(new NoRoom('full'))
})

test('pictures that no record came to name are forgotten after a week', async () => {
  const w = new World()
  const safe = await w.open()
  const old = Date.now() - 8 * 86_400_000
  for (const hash of ['lost', 'named']) await safe.keep({ hash, site: 'pond-1', type: 'image/jpeg', size: 1, at: old, sent: false }, new ArrayBuffer(1))
  await safe.put({ op: op('a', 'named') })
  w.reach = 'no'
  const box = new Outbox(w)
  await rest(box)
  await box.flush()
  expect((await safe.kept()).map((k) => k.hash)).toEqual(['named'])
})

test('records of the version before this one are carried over', async () => {
  localStorage.setItem('tianhai.outbox.li', JSON.stringify([{ op: op('a') }, { op: op('b'), problem: { code: 'x', title: '' } }]))
  const w = new World()
  const box = new Outbox(w)
  await box.flush()
  expect([[...w.server.keys()], ids(box), localStorage.getItem('tianhai.outbox.li')]).toEqual([['a'], ['b'], null])
})

test('without IndexedDB records are kept all the same, and pictures go at once or not at all', async () => {
  indexedDB = undefined as unknown as IDBFactory
  const w = new World()
  w.reach = 'no'
  const box = new Outbox(w)
  expect(await box.add(op('a'))).toBe(true)
  await rest(box)
  await expect(box.take(picture('raft'), 'pond-1')).rejects.toEqual(new ApiError('network'))
  w.reach = 'yes'
  expect(await box.take(picture('raft'), 'pond-1')).toBe('hash of raft')
  await box.flush()
  expect([[...w.server.keys()], w.has.size]).toEqual([['a'], 1])
})

test('movements go after the records and in their order, and are sent again until an answer came', async () => {
  const w = new World()
  w.reach = 'no'
  const box = new Outbox(w)
  await box.add(move('m1', [], ['a'], { kind: 'harvest' }))
  await box.add(move('m2', ['a'], ['b']))
  await box.add(op('o1'))
  await rest(box)
  const later = new Outbox(w) // the page was closed
  w.reach = 'deaf'
  await later.flush()
  expect([w.order, ids(later)]).toEqual([['o1'], ['m1', 'm2', 'o1']])
  w.reach = 'yes'
  await later.flush()
  expect([w.order, ids(later)]).toEqual([['o1', 'o1', 'm1', 'm2'], []])
})

test('what leans on a refused movement waits until it is mended, and nothing else does', async () => {
  const w = new World()
  w.refuse.add('m1')
  const box = new Outbox(w)
  await box.add(move('m1', ['x'], ['a']))
  await box.add(move('m2', ['a'], ['b']))
  await box.add(move('m3', ['y'], ['c']))
  await box.add(move('m4', [], [], { kind: 'void', corrects: 'm1' }))
  await box.flush()
  await rest(box)
  expect([w.moved, ids(box), box.waiting[0]?.problem?.code]).toEqual([['m3'], ['m1', 'm2', 'm4'], 'short'])
  w.refuse.clear()
  await box.add(move('m1', ['z'], ['a'])) // said better, under its own number
  await box.flush()
  await rest(box)
  expect([w.moved, ids(box)]).toEqual([['m3', 'm1', 'm2', 'm4'], []])
})
