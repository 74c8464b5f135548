// Lists of what consumers say and do, the latest first: by a filter, a page at a time.
import { computed, reactive, ref, shallowRef } from 'vue'
import { api } from '../api'

const page = 50
const most = 1000 // that the API gives at once

/** What of a list is shown. Days are of Beijing, both included; empty: no limit. */
export interface NoticeFilter {
  state: 'open' | 'done' | 'all'
  batch: string
  from: string
  to: string
}

export const newFilter = (): NoticeFilter => reactive({ state: 'open', batch: '', from: '', to: '' })

/** A filter as the API asks for it; done is what the list calls that state. */
export function queryOf(f: NoticeFilter, done: string): string {
  const q = new URLSearchParams()
  if (f.state !== 'all') q.set('state', f.state === 'done' ? done : 'open')
  if (f.batch) q.set('batch', f.batch)
  if (f.from) q.set('from', new Date(f.from + 'T00:00:00+08:00').toISOString())
  if (f.to) q.set('to', new Date(Date.parse(f.to + 'T00:00:00+08:00') + 86_400_000).toISOString())
  return q.toString()
}

/** A list of the API under path, whose answers hold it as member. */
export function useNotices<T extends { id: string }>(path: string, member: string, query: () => string, stop: AbortSignal) {
  const list = shallowRef<T[]>()
  const next = ref('')
  const address = computed(() => (query() ? `${path}?${query()}` : path))
  let asked = 0

  async function get(after: string, limit: number, before: T[]) {
    const mine = ++asked
    const separator = address.value.includes('?') ? '&' : '?'
    const got = await api.get<Record<string, unknown> & { next?: string }>(`${address.value}${separator}limit=${limit}${after && `&after=${encodeURIComponent(after)}`}`, stop)
    if (mine !== asked) return // another filter was set meanwhile
    list.value = [...before, ...(got[member] as T[])]
    next.value = got.next ?? ''
  }

  return {
    list,
    next,
    /** The list with its filter, as ExportLinks wants it. */
    address,
    /** Reads what is shown again. */
    read: () => get('', Math.min(most, Math.max(page, list.value?.length ?? 0)), []),
    /** Begins anew, as after another filter was set. */
    restart: () => get('', page, []),
    more: () => get(next.value, page, list.value ?? []),
  }
}
