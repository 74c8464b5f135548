import { ref } from 'vue'
import { api, ApiError } from './api'
import { recall, store } from './i18n'
import type { Principal } from './types'

/** Who is signed in: undefined before the server was asked, null for nobody. */
export const principal = ref<Principal | null>()

const kept = 'tianhai.principal'

/** Whether who is signed in does the work of a farm: writes, and switches devices. */
export function works(): boolean {
  return ['farmer', 'manager', 'administrator'].includes(principal.value?.role ?? '')
}

/** Asks the server who is signed in. Where it is out of reach, whoever was signed in last
 *  on this phone stays so: the pages then show what they kept, and the server decides later. */
export async function startSession(): Promise<void> {
  // A bad network takes its time to say no. Nobody waits for it in the rain.
  const impatient = setTimeout(() => (principal.value ??= remembered() ?? undefined), 2000)
  try {
    enter(await api.get<Principal>('/session'))
  } catch (e) {
    if (e instanceof ApiError && e.temporary) principal.value = remembered()
    else leave()
  } finally {
    clearTimeout(impatient)
  }
}

/** Signs in. The password goes to the server and nowhere else. */
export async function signIn(login: string, password: string): Promise<void> {
  enter(await api.post<Principal>('/session', { login, password }))
}

/** Makes a password of the code that somebody was given, and signs in. */
export async function accept(login: string, code: string, password: string): Promise<void> {
  enter(await api.post<Principal>('/session/invitation', { login, code, password }))
}

/** Signs out and forgets what this browser kept. */
export async function signOut(): Promise<void> {
  await api.delete('/session')
  leave()
}

/** Shows the login where an error says that the session has ended; reports whether it did. */
export function ended(e: unknown): boolean {
  if (!(e instanceof ApiError) || e.status !== 401) return false
  principal.value = null
  return true
}

function enter(p: Principal): void {
  if (remembered()?.login !== p.login) forget()
  store(kept, JSON.stringify(p))
  principal.value = p
}

function leave(): void {
  forget()
  principal.value = null
}

function remembered(): Principal | null {
  try {
    return JSON.parse(recall(kept) ?? 'null') as Principal | null
  } catch {
    return null
  }
}

/** Removes everything that belongs to a person; the language and the display stay. */
function forget(): void {
  try {
    for (const key of Object.keys(localStorage)) {
      if (key === kept || key.startsWith('tianhai.cache.')) localStorage.removeItem(key)
    }
  } catch {
    // Nothing was kept either.
  }
}
