// Records on their way to the server. What was saved is in this phone's storage before
// anything else happens, and leaves it only once the server has it: a record that is
// sent twice is one record, because its ULID was minted when it was saved.
import { reactive } from 'vue'
import { api, ApiError } from '../shared/api'
import { recall, store } from '../shared/i18n'
import { ended } from '../shared/session'
import type { Text } from '../shared/types'
import type { Operation } from './record'

export interface Problem {
  code: string
  title: string
  detail?: string
  field?: string
  name?: Text
}

/** A record that the server does not have. */
export interface Waiting {
  op: Operation
  problem?: Problem // why the server refused it; it is not sent again as it is
}

/** What the outbox asks of the rest; the tests give it others. */
export interface Ways {
  read(): string | null
  write(text: string): void
  send(ops: Operation[]): Promise<Outcome[]>
}

interface Outcome {
  id: string
  outcome: 'created' | 'exists' | 'refused' | 'failed'
  problem?: Problem
}

/** As many records are handed in at once: with pictures' hashes, some 100 KB. */
const most = 100

export class Outbox {
  /** Oldest first. */
  readonly waiting: Waiting[] = reactive([])
  /** Whether the last attempt reached the server. */
  readonly state = reactive({ sending: false, offline: false })

  constructor(private readonly ways: Ways) {
    this.load()
  }

  /** Keeps a record, and sends it if it can; false where this phone's storage is full. */
  add(op: Operation): boolean {
    this.load()
    this.waiting.push({ op })
    if (!this.keep()) return false
    void this.flush()
    return true
  }

  /** Takes a record out that the server does not want. */
  drop(id: string): void {
    this.load()
    const i = this.waiting.findIndex((w) => w.op.id === id)
    if (i >= 0) this.waiting.splice(i, 1)
    this.keep()
  }

  /** Sends what was not refused. Resolves when there is nothing more to send, or no way. */
  async flush(): Promise<void> {
    if (this.state.sending) return
    this.state.sending = true
    try {
      for (;;) {
        this.load()
        const ops = this.waiting.filter((w) => !w.problem).slice(0, most)
        if (ops.length === 0) {
          this.state.offline = false
          return
        }
        const outcomes = await this.ways.send(ops.map((w) => w.op))
        this.state.offline = false
        if (!this.settle(ops.map((w) => w.op.id), outcomes)) return
      }
    } catch (e) {
      if (!ended(e)) this.state.offline = true
      // Whatever it was, nothing is known to have arrived: it stays.
    } finally {
      this.state.sending = false
    }
  }

  /** Removes what has arrived and marks what was refused; false if nothing was either. */
  private settle(ids: string[], outcomes: Outcome[]): boolean {
    this.load() // another tab may have added meanwhile
    let changed = false
    ids.forEach((id, n) => {
      const o = outcomes[n]
      const i = this.waiting.findIndex((w) => w.op.id === id)
      if (!o || i < 0 || o.outcome === 'failed') return
      changed = true
      if (o.outcome === 'refused') this.waiting[i]!.problem = o.problem ?? { code: 'refused', title: '' }
      else this.waiting.splice(i, 1)
    })
    return this.keep() && changed
  }

  private load(): void {
    const text = this.ways.read()
    try {
      if (text) this.waiting.splice(0, Infinity, ...(JSON.parse(text) as Waiting[]))
    } catch {
      // Nobody but us writes there; what is on the screen stays.
    }
  }

  private keep(): boolean {
    const text = JSON.stringify(this.waiting)
    this.ways.write(text)
    return this.ways.read() === text
  }
}

/** The outbox of a person on this phone. Signing out does not empty it. */
export function outboxOf(login: string): Outbox {
  const key = `tianhai.outbox.${login}`
  return new Outbox({
    read: () => recall(key),
    write: (text) => store(key, text),
    async send(operations) {
      const answer = await api.post<{ outcomes: Outcome[] }>('/operations', { operations })
      if (answer.outcomes.length !== operations.length) throw new ApiError('unknown')
      return answer.outcomes
    },
  })
}
