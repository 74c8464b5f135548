// The stream of what happens, as server-sent events.
import { backoff } from './api'
import type { Alert, Observation, Status } from './types'

/** connecting until the first event or answer, live while open, lost between attempts. */
export type LiveState = 'connecting' | 'live' | 'lost'

export interface LiveHandlers {
  /** The stream is open. What was read before it may be stale: read it again. */
  open(): void
  state(state: LiveState): void
  observation?(o: Observation): void
  alert?(a: Alert): void
  status?(s: Status): void
}

/** After this long without an event the connection is opened anew, in milliseconds: a phone that
 *  changed networks never hears that the old one is gone. */
export const silence = 60_000

/** Follows /live until stop is called, and reconnects for ever. */
export function follow(query: string, handlers: LiveHandlers): { stop(): void } {
  let source: EventSource | undefined
  let attempt = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const wait = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(connect, ms)
  }
  const heard = () => wait(silence)

  function listen(name: string, handle?: (data: never) => void) {
    source!.addEventListener(name, (event) => {
      heard()
      const data = parse((event as MessageEvent<string>).data)
      if (data !== undefined) handle?.(data as never)
    })
  }

  function connect() {
    source?.close()
    source = new EventSource('/api/v1/live' + query)
    source.onopen = () => {
      attempt = 0
      heard()
      handlers.state('live')
      handlers.open()
    }
    source.onerror = () => {
      // The browser's own retry gives up on an error status, and hammers otherwise.
      source?.close()
      handlers.state('lost')
      wait(backoff(++attempt))
    }
    listen('observation', handlers.observation)
    listen('alert', handlers.alert)
    listen('status', handlers.status)
    heard()
  }

  const now = () => wait(0)
  handlers.state('connecting')
  connect()
  addEventListener('online', now)
  return {
    stop() {
      clearTimeout(timer)
      removeEventListener('online', now)
      source?.close()
    },
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
