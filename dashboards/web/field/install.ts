// The page on the home screen, and newer versions of it.
import { ref } from 'vue'

/** A newer version that is on this phone and waits for a word; undefined where there is none. */
export const newer = ref<ServiceWorker>()

/** Asks to put the page on the home screen, where the browser offers it. */
export const offer = ref<() => void>()

/** Whether the page was started from the home screen. */
export const installed = matchMedia('(display-mode: standalone)').matches || (navigator as { standalone?: boolean }).standalone === true

/** WeChat's own browser keeps no pages on iPhones, and puts none on the home screen anywhere. */
export const inWeChat = /MicroMessenger/i.test(navigator.userAgent)

/** Whether this browser can start the page without a network. */
export const keepsPage = isSecureContext && 'serviceWorker' in navigator

/** Has the page kept on this phone. Scripts of a build under test or a strange proxy are no reason to fail. */
export function startInstall(): void {
  addEventListener('beforeinstallprompt', (e) => {
    e.preventDefault()
    offer.value = () => {
      offer.value = undefined
      void (e as Event & { prompt(): Promise<unknown> }).prompt()
    }
  })
  if (!keepsPage || import.meta.env.DEV) return
  const begin = () => void register().catch(() => {}) // it is then as before: open while there is a network
  if (document.readyState === 'complete') begin()
  else addEventListener('load', begin)
}

async function register(): Promise<void> {
  const kept = await navigator.serviceWorker.register('/field/sw.js')
  // The code on a device is scanned where there is no network, too.
  await navigator.serviceWorker.register('/field/sw.js', { scope: '/d/' }).catch(() => {})
  watch(kept)
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && void kept.update().catch(() => {}))
}

function watch(kept: ServiceWorkerRegistration): void {
  const waits = () => {
    // Without a controller this is the first one, which takes nobody's place.
    if (kept.waiting && navigator.serviceWorker.controller) newer.value = kept.waiting
  }
  waits()
  kept.addEventListener('updatefound', () => kept.installing?.addEventListener('statechange', waits))
}

/** Changes to the newer version. What waits to be sent is not in it, and stays. */
export function update(): void {
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true })
  newer.value?.postMessage('update')
}

/** Asks the browser not to clear away what waits here when it is short of room. */
export function persist(): void {
  void navigator.storage?.persist?.().catch(() => {})
}
