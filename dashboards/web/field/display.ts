import { reactive, watchEffect } from 'vue'
import { recall, store } from '../shared/i18n'

/** How the phone's owner wants to see the page; kept on the phone. */
export const display = reactive({
  large: recall('tianhai.large') === '1', // large type
  sun: recall('tianhai.sun') === '1', // highest contrast, for bright sunlight
})

/** Applies the choices to the page, now and whenever they change. */
export function startDisplay(): void {
  watchEffect(() => {
    for (const key of ['large', 'sun'] as const) {
      document.documentElement.classList.toggle(key, display[key])
      store(`tianhai.${key}`, display[key] ? '1' : '0')
    }
  })
}
