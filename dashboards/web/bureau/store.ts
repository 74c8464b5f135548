// What the bureau's screen knows: the sites, their latest readings and the alerts,
// read once and kept true by the live stream.
import { computed, reactive } from 'vue'
import { api } from '../shared/api'
import { serverNow } from '../shared/clock'
import { follow, type LiveState } from '../shared/live'
import { mergeAlert, mergeLatest, mergeObservation, newestFirst } from '../shared/readings'
import { ended } from '../shared/session'
import type { Alert, Observation, Quantity, Site, Status, Vocabulary } from '../shared/types'

export const state = reactive({
  vocabulary: undefined as Vocabulary | undefined,
  sites: new Map<string, Site>(),
  alerts: [] as Alert[],
  live: 'connecting' as LiveState,
  heard: 0, // when the server last told us something, Unix ms
  error: undefined as unknown,
  loaded: false,
})

/** The alerts that are firing now, newest first. */
export const firing = computed(() => state.alerts.filter((a) => a.state === 'firing'))

/** How many alerts are firing at each site. */
export const firingBySite = computed(() => {
  const counts = new Map<string, number>()
  for (const a of firing.value) counts.set(a.site, (counts.get(a.site) ?? 0) + 1)
  return counts
})

/** The quantity with this ID, where the vocabulary has it. */
export function quantity(id: string): Quantity | undefined {
  return state.vocabulary?.quantities.find((q) => q.id === id)
}

type Listener = (o: Observation) => void
const listeners = new Set<Listener>()

/** Calls listen with every observation from now on; call the result to end it. */
export function onObservation(listen: Listener): () => void {
  listeners.add(listen)
  return () => listeners.delete(listen)
}

/** Follows the live stream; every time it opens, everything is read anew. */
export function start(): () => void {
  const stream = follow('', {
    open: () => void reload(),
    state(live) {
      state.live = live
      // The stream does not say why it broke: a request does, when the session has ended.
      if (live === 'lost') void reload()
    },
    observation,
    alert(a) {
      state.heard = serverNow()
      state.alerts = mergeAlert(state.alerts, a)
    },
    status,
  })
  return () => {
    stream.stop()
    clearTimeout(timer)
    Object.assign(state, { sites: new Map(), alerts: [], loaded: false, error: undefined })
  }
}

/** Reads vocabulary, sites and firing alerts. What the stream told since is kept. */
export async function reload(): Promise<void> {
  try {
    state.vocabulary ??= await api.get<Vocabulary>('/vocabulary')
    const [{ sites }, { alerts }] = await Promise.all([
      api.get<{ sites: Site[] }>('/sites'),
      api.get<{ alerts: Alert[] }>('/alerts?state=firing'),
    ])
    const known = new Set(sites.map((s) => s.id))
    for (const id of state.sites.keys()) if (!known.has(id)) state.sites.delete(id)
    for (const site of sites) putSite(site)
    state.alerts = newestFirst(alerts)
    state.heard = serverNow()
    state.error = undefined
    state.loaded = true
  } catch (e) {
    if (!ended(e)) state.error = e
  }
}

function putSite(site: Site): void {
  const known = state.sites.get(site.id)
  if (known) mergeLatest(site.latest, known.latest)
  state.sites.set(site.id, site)
}

function observation(o: Observation): void {
  state.heard = serverNow()
  const site = state.sites.get(o.site)
  if (site) mergeObservation(site.latest, o)
  for (const listen of listeners) listen(o)
}

// A status event names one device; the counts of its site come from the server. A
// fleet that comes back at once asks for each site once, and for all of them together
// when there are many.
const touched = new Set<string>()
let timer: ReturnType<typeof setTimeout> | undefined

function status(s: Status): void {
  state.heard = serverNow()
  touched.add(s.site)
  clearTimeout(timer)
  timer = setTimeout(() => void refreshTouched(), 500)
}

async function refreshTouched(): Promise<void> {
  const ids = [...touched]
  touched.clear()
  if (ids.length > 5) return reload()
  for (const id of ids) {
    try {
      putSite(await api.get<Site>(`/sites/${id}`))
    } catch (e) {
      ended(e)
    }
  }
}
