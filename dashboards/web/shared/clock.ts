import { onScopeDispose, readonly, ref, type Ref } from 'vue'

// How far the server's clock is ahead of this phone's, in milliseconds. Ages are
// told by the server's clock: on a slow one an old reading would look new.
let skew = 0

/** Takes the Date header of an answer, which is exact to a second; smaller differences are left alone. */
export function setServerTime(header: string | null): void {
  const ahead = Date.parse(header ?? '') - Date.now()
  if (!Number.isNaN(ahead)) skew = Math.abs(ahead) > 2000 ? ahead : 0
}

/** The server's time in Unix milliseconds, as far as it is known. */
export function serverNow(): number {
  return Date.now() + skew
}

/** The server's time, told anew every five seconds, so that ages on the screen stay true. */
export function useClock(): Readonly<Ref<number>> {
  const now = ref(serverNow())
  const timer = setInterval(() => (now.value = serverNow()), 5000)
  onScopeDispose(() => clearInterval(timer))
  return readonly(now)
}
