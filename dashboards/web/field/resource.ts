// Something read from the server on a bad network: what was read last is shown at
// once and dated, and reading goes on, slower and slower while it fails.
import { onScopeDispose, ref, type Ref } from 'vue'
import { api, ApiError, backoff } from '../shared/api'
import { serverNow } from '../shared/clock'
import { recall, store } from '../shared/i18n'
import { ended, principal } from '../shared/session'

export interface Resource<T> {
  data: Ref<T | undefined>
  /** When data was read, Unix ms; 0 before. It may have been days ago. */
  at: Ref<number>
  /** Why the last attempt failed; undefined when it did not. */
  error: Ref<unknown>
  /** When the next attempt comes, Unix ms of this phone; 0 while one is on its way. */
  retryAt: Ref<number>
  refresh(): Promise<void>
}

interface Options<T> {
  every?: number // milliseconds between readings while all is well
  /** Carries what is newer in old over into news, before news takes its place. */
  merge?(news: T, old: T): void
}

/** Reads path now and again until the component is gone. */
export function useResource<T extends object>(path: string, { every = 60_000, merge }: Options<T> = {}): Resource<T> {
  const key = `tianhai.cache.${principal.value?.login}.${path}`
  const data = ref<T>() as Ref<T | undefined>
  const at = ref(0)
  const error = ref<unknown>()
  const retryAt = ref(0)
  const stop = new AbortController()
  let attempt = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let under: Promise<void> | undefined

  const kept = cached<T>(key)
  if (kept) [data.value, at.value] = [kept.data, kept.at]

  function refresh(): Promise<void> {
    return (under ??= read().finally(() => (under = undefined)))
  }

  async function read(): Promise<void> {
    clearTimeout(timer)
    retryAt.value = 0
    try {
      const news = await api.get<T>(path, stop.signal)
      if (data.value && merge) merge(news, data.value)
      data.value = news
      at.value = serverNow()
      error.value = undefined
      attempt = 0
      store(key, JSON.stringify({ at: at.value, data: news }))
    } catch (e) {
      if (stop.signal.aborted || ended(e)) return
      error.value = e
      attempt++
    }
    // What will not change by itself, such as "not found", is asked for as seldom as what is well.
    const failing = error.value instanceof ApiError && error.value.temporary
    const wait = failing ? backoff(attempt) : every
    retryAt.value = Date.now() + wait
    if (!stop.signal.aborted) timer = setTimeout(() => void refresh(), wait)
  }

  const now = () => void refresh()
  const shown = () => document.visibilityState === 'visible' && Date.now() + every - retryAt.value > 5000 && now()
  addEventListener('online', now)
  document.addEventListener('visibilitychange', shown)
  onScopeDispose(() => {
    stop.abort()
    clearTimeout(timer)
    removeEventListener('online', now)
    document.removeEventListener('visibilitychange', shown)
  })
  void refresh()
  return { data, at, error, retryAt, refresh }
}

function cached<T>(key: string): { at: number; data: T } | undefined {
  try {
    return (JSON.parse(recall(key) ?? 'null') as { at: number; data: T } | null) ?? undefined
  } catch {
    return undefined
  }
}
