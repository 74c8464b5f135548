import { onScopeDispose, shallowReactive, watch } from 'vue'
import { api, backoff } from '../shared/api'
import { serverNow } from '../shared/clock'
import { ended } from '../shared/session'
import type { Series } from '../shared/types'

const day = 86_400_000

/** As many points as a phone's width shows apart: one in 15 minutes. */
const points = 96

/** The last 24 hours of some quantities at a site, one after the other so that they leave
 *  room for the readings on a narrow network, and again every ten minutes. */
export function useTrends(site: () => string | undefined, quantities: () => string[]): Record<string, Series> {
  const trends = shallowReactive<Record<string, Series>>({})
  const stop = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let attempt = 0
  let turn = 0

  async function load(mine: number): Promise<void> {
    let failed = false
    for (const quantity of quantities()) {
      const now = serverNow()
      const query = new URLSearchParams({
        quantity,
        from: new Date(now - day).toISOString(),
        to: new Date(now).toISOString(),
        points: String(points),
      })
      try {
        const series = await api.get<Series>(`/sites/${encodeURIComponent(site()!)}/series?${query}`, stop.signal)
        trends[quantity] = { ...series, points: series.points ?? [], gaps: series.gaps ?? [] }
      } catch (e) {
        if (ended(e)) return
        failed = true
      }
      if (stop.signal.aborted || mine !== turn) return
      if (failed) break
    }
    attempt = failed ? attempt + 1 : 0
    timer = setTimeout(() => void load(mine), failed ? backoff(attempt) : 600_000)
  }

  watch(
    [site, () => quantities().join()],
    () => {
      clearTimeout(timer)
      if (site() && quantities().length) void load(++turn)
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    stop.abort()
    clearTimeout(timer)
  })
  return trends
}
