// Records and pictures on their way to the server. What was saved is on this phone
// before anything else happens, and leaves it only once the server has it: a record
// that is sent twice is one record, because its ULID was minted when it was saved, and
// a picture is named by its hash. Pictures go up before the record that names them, and
// movements of batches after the records, in their order: each may draw on what the one
// before made, and the gates ask what was recorded.
import { reactive } from 'vue'
import { api, ApiError, explain } from '../shared/api'
import { ended } from '../shared/session'
import { isMove, leansOn, type Move } from './moves'
import type { Operation } from './record'
import { type Kept, openSafe, type Problem, type Safe, type Statement, type Waiting } from './safe'

export type { Problem, Statement, Waiting } from './safe'

/** What the outbox asks of the rest; the tests give it others. */
export interface Ways {
  open(): Promise<Safe>
  send(ops: Operation[]): Promise<Outcome[]>
  move(m: Move): Promise<void>
  upload(k: Kept, bytes: ArrayBuffer, progress: (part: number) => void): Promise<void>
  hash(bytes: ArrayBuffer): Promise<string>
}

export interface Outcome {
  id: string
  outcome: 'created' | 'exists' | 'refused' | 'failed'
  problem?: Problem
}

/** What has become of a picture. */
export interface Picture {
  sent: boolean
  part: number // of it that has gone, 0 to 1
  problem: string // why the server does not want it; empty
}

/** As many records are handed in at once: with pictures' hashes, some 100 KB. */
const most = 100

/** As many bytes of pictures are held back. */
export const room = 200 * 2 ** 20

/** As large may one picture be; the server says so too. */
export const largest = 10 * 2 ** 20

/** As long are pictures held that no record came to name; the server forgets them as soon. */
const idle = 7 * 86_400_000

/** Why a picture was not kept. */
export class NoRoom extends Error {
  constructor(readonly why: 'large' | 'full' | 'none') {
    super(why)
  }
}

export class Outbox {
  /** Oldest first. */
  readonly waiting: Waiting[] = reactive([])
  /** By hash: those on this phone. */
  readonly pictures: Record<string, Picture> = reactive({})
  /** Whether it sends now, and whether the last attempt reached the server. */
  readonly state = reactive({ sending: false, offline: false, keeps: true })
  private readonly safe: Promise<Safe>
  private more = false // something was kept since the last round began

  constructor(private readonly ways: Ways) {
    this.safe = ways.open().then((s) => ((this.state.keeps = s.pictures), s))
    void this.safe.then(() => this.prune())
  }

  /** Keeps a record, and sends it if it can; false where this phone has no room. */
  async add(op: Statement): Promise<boolean> {
    try {
      await (await this.safe).put({ op })
    } catch {
      return false
    }
    await this.load()
    void this.flush()
    return true
  }

  /** Takes a record out that the server does not want. Its pictures stay for a while. */
  async drop(id: string): Promise<void> {
    await (await this.safe).remove(id)
    await this.load()
  }

  /** Keeps a picture until a record that names it has arrived, and returns its hash.
   *  Throws NoRoom, or ApiError where it can only be sent at once. */
  async take(file: Blob, site: string): Promise<string> {
    if (file.size > largest) throw new NoRoom('large')
    const bytes = await file.arrayBuffer()
    const k: Kept = { hash: await this.ways.hash(bytes), site, type: file.type || 'image/jpeg', size: bytes.byteLength, at: Date.now(), sent: false }
    const safe = await this.safe
    if (!safe.pictures) {
      await this.ways.upload(k, bytes, () => {})
      return k.hash
    }
    const others = (await safe.kept()).filter((o) => o.hash !== k.hash)
    if (others.reduce((sum, o) => sum + o.size, k.size) > room) throw new NoRoom('full')
    try {
      await safe.keep(k, bytes)
    } catch {
      throw new NoRoom('none')
    }
    this.pictures[k.hash] = { sent: false, part: 0, problem: '' }
    void this.flush()
    return k.hash
  }

  /** The bytes of a picture that is on this phone. */
  async picture(hash: string): Promise<Blob | undefined> {
    const safe = await this.safe
    const bytes = await safe.bytes(hash)
    const k = bytes && (await safe.kept()).find((o) => o.hash === hash)
    return bytes && new Blob([bytes], { type: k?.type ?? 'image/jpeg' })
  }

  /** Sends what was not refused. Resolves when there is nothing more to send, or no way. */
  async flush(): Promise<void> {
    this.more = true
    if (this.state.sending) return
    this.state.sending = true
    try {
      while (this.more) {
        this.more = false // until somebody asks again meanwhile
        await this.uploadAll()
        while (await this.sendSome());
        while (await this.moveNext());
      }
      this.state.offline = false
    } catch (e) {
      if (!ended(e)) this.state.offline = true
      // Whatever it was, nothing is known to have arrived: it stays.
    } finally {
      this.state.sending = false
    }
  }

  private async uploadAll(): Promise<void> {
    const safe = await this.safe
    await this.load()
    for (const k of await safe.kept()) {
      const p = this.pictures[k.hash]
      if (k.sent || !p || p.problem) continue
      const bytes = await safe.bytes(k.hash)
      if (!bytes) continue
      try {
        await this.ways.upload(k, bytes, (part) => (p.part = part))
        await safe.keep({ ...k, sent: true })
        p.sent = true
      } catch (e) {
        if (!(e instanceof ApiError) || e.temporary || e.status === 401) throw e
        p.problem = explain(e)
        await this.blame(k.hash, { code: e.code, title: p.problem })
      }
    }
  }

  /** Marks the records that name a picture which the server does not want. */
  private async blame(hash: string, problem: Problem): Promise<void> {
    for (const w of this.waiting.filter((w) => names(w.op, hash))) await (await this.safe).put({ ...w, problem })
    await this.load()
  }

  /** Hands in what can be; false when there is nothing more to do. */
  private async sendSome(): Promise<boolean> {
    await this.load()
    const due = this.waiting.filter((w) => !isMove(w.op) && !w.problem && !this.held(w.op)).slice(0, most)
    if (due.length === 0) return false
    const outcomes = await this.ways.send(due.map((w) => w.op as Operation))
    let changed = false
    for (const [n, w] of due.entries()) changed = (await this.settle(w, outcomes[n])) || changed
    return changed
  }

  /** Hands in the next movement; false when none can go. What leans on one that was
   *  refused waits until that is mended. */
  private async moveNext(): Promise<boolean> {
    await this.load()
    const moves = this.waiting.flatMap((w) => (isMove(w.op) ? [{ w, m: w.op }] : []))
    const next = moves.find(({ w, m }) => !w.problem && !moves.some((o) => leansOn(m, o.m)))
    if (!next) return false
    const safe = await this.safe
    try {
      await this.ways.move(next.m)
    } catch (e) {
      if (!(e instanceof ApiError) || e.temporary || e.status === 401) throw e
      await safe.put({ ...next.w, problem: { code: e.code, title: explain(e), detail: e.detail, field: e.field } })
      return true
    }
    await safe.remove(next.m.id)
    return true
  }

  /** Whether a record names a picture that is still here and not there. */
  private held(op: Statement): boolean {
    return Object.entries(this.pictures).some(([hash, p]) => !p.sent && names(op, hash))
  }

  private async settle(w: Waiting, o: Outcome | undefined): Promise<boolean> {
    const safe = await this.safe
    if (!o || o.outcome === 'failed') return false
    if (o.outcome === 'refused') {
      const mine = (await safe.kept()).filter((k) => k.sent && names(w.op, k.hash))
      if (mine.length && !w.again && o.problem?.code === 'invalid' && o.problem.field?.startsWith('items.')) {
        // The server forgets pictures that no record names for a week. Here they still are.
        for (const k of mine) {
          await safe.keep({ ...k, sent: false })
          delete this.pictures[k.hash]
        }
        await safe.put({ ...w, again: true })
        await this.uploadAll()
        return true
      }
      await safe.put({ ...w, problem: o.problem ?? { code: 'refused', title: '' } })
      return true
    }
    await safe.remove(w.op.id)
    const left = (await safe.records()).map((r) => r.op)
    for (const k of await safe.kept()) {
      if (!names(w.op, k.hash) || left.some((op) => names(op, k.hash))) continue
      await safe.forget(k.hash)
      delete this.pictures[k.hash]
    }
    return true
  }

  private async load(): Promise<void> {
    const safe = await this.safe
    const all = await safe.records() // another tab may have added or sent some
    this.waiting.splice(0, Infinity, ...all)
    for (const k of await safe.kept()) {
      const known = this.pictures[k.hash]
      if (known) known.sent ||= k.sent
      else this.pictures[k.hash] = { sent: k.sent, part: 0, problem: '' }
    }
  }

  /** Forgets pictures that no record came to name. */
  private async prune(): Promise<void> {
    await this.load()
    const safe = await this.safe
    for (const k of await safe.kept()) {
      if (k.at > Date.now() - idle || this.waiting.some((w) => names(w.op, k.hash))) continue
      await safe.forget(k.hash)
      delete this.pictures[k.hash]
    }
  }
}

function names(op: Statement, hash: string): boolean {
  return !isMove(op) && op.items.some((i) => i.value === hash)
}

const open = new Map<string, Outbox>()

/** The outbox of a person on this phone. Signing out does not empty it. */
export function outboxOf(login: string): Outbox {
  const known = open.get(login)
  if (known) return known
  const box = new Outbox({
    open: () => openSafe(login),
    async send(operations) {
      const answer = await api.post<{ outcomes: Outcome[] }>('/operations', { operations })
      if (answer.outcomes.length !== operations.length) throw new ApiError('unknown')
      return answer.outcomes
    },
    async move(m) {
      await api.post('/movements', m)
    },
    async upload(k, bytes, progress) {
      await api.upload(`/photos?site=${encodeURIComponent(k.site)}`, new Blob([bytes], { type: k.type }), k.type, progress)
    },
    hash: sha256,
  })
  open.set(login, box)
  return box
}

/** Sends whenever there may be a way, as long as somebody is signed in; returns what ends it.
 *  No browser but Chrome would do it for a page that is closed. */
export function keepSending(login: string): () => void {
  const box = outboxOf(login)
  const flush = () => void box.flush()
  const shown = () => document.visibilityState === 'visible' && flush()
  const timer = setInterval(flush, 30_000)
  addEventListener('online', flush)
  addEventListener('pageshow', flush)
  document.addEventListener('visibilitychange', shown)
  flush()
  return () => {
    clearInterval(timer)
    removeEventListener('online', flush)
    removeEventListener('pageshow', flush)
    document.removeEventListener('visibilitychange', shown)
  }
}

async function sha256(bytes: ArrayBuffer): Promise<string> {
  // Browsers lend their own only where the page is secure, and farms have plain networks.
  const digest = crypto.subtle ? new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)) : (await import('@noble/hashes/sha2.js')).sha256(new Uint8Array(bytes))
  return [...digest].map((b) => b.toString(16).padStart(2, '0')).join('')
}
