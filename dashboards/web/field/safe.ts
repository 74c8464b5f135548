// What this phone keeps until the server has it: records, and the pictures that they
// name. It is in IndexedDB, which has it on disk once a transaction is over and has
// room for pictures; where a WebView lends none, records go to localStorage and
// pictures cannot be kept.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import { recall, store } from '../shared/i18n'
import type { Text } from '../shared/types'
import type { Move } from './moves'
import type { Operation } from './record'

export interface Problem {
  code: string
  title: string
  detail?: string
  field?: string
  name?: Text
}

/** What is said in the field: what was done on a site, or what became of batches. */
export type Statement = Operation | Move

/** A record that the server does not have. */
export interface Waiting {
  op: Statement
  problem?: Problem // why the server refused it; it is not sent again as it is
  again?: boolean // its pictures were sent twice already: the server had forgotten them
}

/** A picture that no record the server has names yet. */
export interface Kept {
  hash: string // SHA-256 of its bytes
  site: string
  type: string // media type
  size: number // bytes
  at: number // Unix ms
  sent: boolean // whether the server has it
}

export interface Safe {
  /** Whether pictures can be kept. */
  readonly pictures: boolean
  /** Oldest first. */
  records(): Promise<Waiting[]>
  /** Throws where this phone has no room. */
  put(w: Waiting): Promise<void>
  remove(id: string): Promise<void>
  kept(): Promise<Kept[]>
  keep(k: Kept, bytes?: ArrayBuffer): Promise<void>
  bytes(hash: string): Promise<ArrayBuffer | undefined>
  forget(hash: string): Promise<void>
}

interface Schema extends DBSchema {
  records: { key: [string, string]; value: Waiting & { login: string; id: string } }
  kept: { key: [string, string]; value: Kept & { login: string } }
  bytes: { key: [string, string]; value: ArrayBuffer }
}

const legacy = (login: string) => `tianhai.outbox.${login}`

/** Opens the safe of a person on this phone; nobody else's records are seen in it. */
export async function openSafe(login: string): Promise<Safe> {
  try {
    const db = await openDB<Schema>('tianhai', 1, {
      upgrade(db) {
        db.createObjectStore('records', { keyPath: ['login', 'id'] })
        db.createObjectStore('kept', { keyPath: ['login', 'hash'] })
        db.createObjectStore('bytes')
      },
    })
    const safe = new DiskSafe(db, login)
    for (const w of parse(recall(legacy(login)))) await safe.put(w) // of a version before this one
    localStorage.removeItem(legacy(login))
    return safe
  } catch {
    return new SmallSafe(login)
  }
}

class DiskSafe implements Safe {
  readonly pictures = true
  constructor(
    private readonly db: IDBPDatabase<Schema>,
    private readonly login: string,
  ) {}

  private get mine(): IDBKeyRange {
    return IDBKeyRange.bound([this.login], [this.login, []])
  }

  async records(): Promise<Waiting[]> {
    const all = await this.db.getAll('records', this.mine)
    return all.map(({ op, problem, again }) => ({ op, ...(problem && { problem }), ...(again && { again }) }))
  }

  async put(w: Waiting): Promise<void> {
    // What the screen holds is reactive, which cannot be stored as it is.
    const plain = JSON.parse(JSON.stringify(w)) as Waiting
    const tx = this.db.transaction('records', 'readwrite', { durability: 'strict' })
    await Promise.all([tx.store.put({ ...plain, login: this.login, id: w.op.id }), tx.done])
  }

  remove(id: string): Promise<void> {
    return this.db.delete('records', [this.login, id])
  }

  kept(): Promise<Kept[]> {
    return this.db.getAll('kept', this.mine)
  }

  async keep(k: Kept, bytes?: ArrayBuffer): Promise<void> {
    const key: [string, string] = [this.login, k.hash]
    const tx = this.db.transaction(['kept', 'bytes'], 'readwrite', { durability: 'strict' })
    const { hash, site, type, size, at, sent } = k
    await Promise.all([
      tx.objectStore('kept').put({ hash, site, type, size, at, sent, login: this.login }),
      bytes && tx.objectStore('bytes').put(bytes, key),
      tx.done,
    ])
  }

  bytes(hash: string): Promise<ArrayBuffer | undefined> {
    return this.db.get('bytes', [this.login, hash])
  }

  async forget(hash: string): Promise<void> {
    const key: [string, string] = [this.login, hash]
    const tx = this.db.transaction(['kept', 'bytes'], 'readwrite')
    await Promise.all([tx.objectStore('kept').delete(key), tx.objectStore('bytes').delete(key), tx.done])
  }
}

class SmallSafe implements Safe {
  readonly pictures = false
  constructor(private readonly login: string) {}

  async records(): Promise<Waiting[]> {
    return parse(recall(legacy(this.login)))
  }

  async put(w: Waiting): Promise<void> {
    const others = (await this.records()).filter((o) => o.op.id !== w.op.id)
    this.write([...others, w])
  }

  async remove(id: string): Promise<void> {
    this.write((await this.records()).filter((o) => o.op.id !== id))
  }

  private write(all: Waiting[]): void {
    const text = JSON.stringify(all)
    store(legacy(this.login), text)
    if (recall(legacy(this.login)) !== text) throw new Error('no room')
  }

  kept = async (): Promise<Kept[]> => []
  keep = (): Promise<void> => Promise.reject(new Error('no room'))
  bytes = async (): Promise<undefined> => undefined
  forget = async (): Promise<void> => {}
}

function parse(text: string | null): Waiting[] {
  try {
    return text ? (JSON.parse(text) as Waiting[]) : []
  } catch {
    return [] // nobody but us writes there
  }
}
