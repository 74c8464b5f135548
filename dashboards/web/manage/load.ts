// Reading from the server and changing something there, for the pages of this face.
import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { api } from '../shared/api'
import { ended } from '../shared/session'

export interface Loaded<T> {
  data: Ref<T | undefined> // what was read last; it stays while it is read again
  error: Ref<unknown>
  busy: Ref<boolean>
  reload(): Promise<void>
}

/** Reads what a path says, now and whenever the path changes; nothing while it is empty. */
export function useLoad<T>(path: () => string, read: (path: string, signal: AbortSignal) => Promise<T> = api.get): Loaded<T> {
  const data = shallowRef<T>() as Ref<T | undefined>
  const error = shallowRef<unknown>()
  const busy = ref(false)
  let under = new AbortController()

  async function reload() {
    under.abort()
    const mine = (under = new AbortController())
    if (!path()) return
    busy.value = true
    try {
      const news = await read(path(), mine.signal)
      if (mine.signal.aborted) return
      data.value = news
      error.value = undefined
    } catch (e) {
      if (!mine.signal.aborted && !ended(e)) error.value = e
    } finally {
      if (mine === under) busy.value = false
    }
  }

  watch(path, () => void reload(), { immediate: true })
  onScopeDispose(() => under.abort())
  return { data, error, busy, reload }
}

/** Reads a list to its end, however many pages it has. */
export function useWhole<T extends object>(path: () => string): Loaded<T> {
  return useLoad<T>(path, whole)
}

/** A list as one page: the items of all, in their order. */
export async function whole<T extends object>(path: string, signal?: AbortSignal): Promise<T> {
  const address = path + (path.includes('?') ? '&' : '?') + 'limit=1000'
  const all = await api.get<Record<string, unknown>>(address, signal)
  for (let next = all.next; next; ) {
    const page = await api.get<Record<string, unknown>>(`${address}&after=${encodeURIComponent(String(next))}`, signal)
    for (const [name, items] of Object.entries(page)) if (Array.isArray(items)) all[name] = [...(all[name] as unknown[]), ...items]
    next = page.next
  }
  delete all.next
  return all as T
}

export interface Action<A extends unknown[]> {
  busy: Ref<boolean>
  error: Ref<unknown> // why the last attempt failed
  run(...args: A): Promise<boolean> // whether it succeeded; false, too, while one is under way
}

/** Something that a person does, once at a time, and what became of it. */
export function useAction<A extends unknown[]>(act: (...args: A) => Promise<unknown>): Action<A> {
  const busy = ref(false)
  const error = shallowRef<unknown>()
  return {
    busy,
    error,
    async run(...args) {
      if (busy.value) return false
      busy.value = true
      error.value = undefined
      try {
        await act(...args)
        return true
      } catch (e) {
        if (!ended(e)) error.value = e
        return false
      } finally {
        busy.value = false
      }
    },
  }
}
