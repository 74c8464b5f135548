// Latest readings, kept right whatever order news comes in.
import type { Alert, Latest, LatestByQuantity, Observation, Quantity } from './types'

/** Two reports of a device may fail to come before its reading counts as old. */
const missedReports = 2

/** For devices whose interval is not known, in seconds. */
const usualInterval = 600

/** Puts an observation's readings where they are newer than what is there. Late and
 *  repeated observations change nothing. Reports whether anything changed. */
export function mergeObservation(latest: LatestByQuantity, o: Observation): boolean {
  let changed = false
  for (const { quantity, value, flag } of o.readings) {
    changed = put(latest, quantity, { value, flag, time: o.time, device: o.device }) || changed
  }
  return changed
}

/** Puts a list of latest readings where they are newer than what is there. */
export function mergeLatest(latest: LatestByQuantity, news: LatestByQuantity): void {
  for (const [quantity, reading] of Object.entries(news)) put(latest, quantity, reading)
}

function put(latest: LatestByQuantity, quantity: string, reading: Latest): boolean {
  const old = latest[quantity]
  if (old && Date.parse(old.time) >= Date.parse(reading.time)) return false
  latest[quantity] = reading
  return true
}

/** Whether a reading is too old to be shown as the present state. */
export function isStale(time: string, now: number, interval = 0): boolean {
  return now - Date.parse(time) > missedReports * (interval || usualInterval) * 1000
}

/** The readings in the order of the vocabulary; those of the device itself come last. */
export function ordered(latest: LatestByQuantity, quantities: Quantity[]): { quantity: Quantity; reading: Latest }[] {
  const own = (q: Quantity) => Number(q.id.startsWith('device.'))
  return quantities
    .filter((q) => latest[q.id])
    .map((quantity) => ({ quantity, reading: latest[quantity.id]! }))
    .sort((a, b) => own(a.quantity) - own(b.quantity))
}

/** What whoever keeps fish, shrimp or oysters looks at first. */
const vital = 'water.dissolved_oxygen'

/** The few readings that a glance takes in: oxygen first where there is water, nothing of the device itself. */
export function glance(latest: LatestByQuantity, quantities: Quantity[], count: number): { quantity: Quantity; reading: Latest }[] {
  return ordered(latest, quantities)
    .filter(({ quantity }) => !quantity.id.startsWith('device.'))
    .sort((a, b) => Number(b.quantity.id === vital) - Number(a.quantity.id === vital))
    .slice(0, count)
}

const rank = { pending: 0, firing: 1, resolved: 2 }

/** The alerts with one more, newest first. News older than what is known is dropped: an
 *  alert only ever goes from pending to firing to resolved. One that passed before it
 *  fired is inactive, and nobody's concern any more. */
export function mergeAlert(alerts: Alert[], news: Alert): Alert[] {
  const { state } = news
  if (state === 'inactive') return alerts.filter((a) => a.id !== news.id || a.state !== 'pending')
  const known = alerts.find((a) => a.id === news.id)
  if (known && known.state !== 'inactive' && rank[known.state] > rank[state]) return alerts
  return newestFirst([...alerts.filter((a) => a.id !== news.id), news])
}

/** The alerts by when they began, newest first. */
export function newestFirst(alerts: Alert[]): Alert[] {
  return [...alerts].sort((a, b) => Date.parse(b.began) - Date.parse(a.began))
}
