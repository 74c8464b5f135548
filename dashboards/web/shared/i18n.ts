// Every sentence on the screens comes from the flat JSON files in /i18n, which the
// Go program reads too. Only the language in use is loaded.
import { ref, shallowReactive } from 'vue'

export type Messages = Record<string, string>

/** Where a language has no message, these are asked in turn, as in Go's i18n.T. */
const fallbacks = ['en', 'zh-CN']

const files = import.meta.glob<Messages>('../../../i18n/*.json', { import: 'default' })
const loaders = Object.fromEntries(
  Object.entries(files).map(([path, load]) => [path.replace(/^.*\/|\.json$/g, ''), load]),
)

/** The languages there are, as BCP 47 tags, Chinese first. */
export const languages = Object.keys(loaders).sort((a, b) => Number(b === 'zh-CN') - Number(a === 'zh-CN'))

/** The language of the screens. Change it with setLanguage. */
export const language = ref('zh-CN')

const catalogs = shallowReactive<Record<string, Messages>>({})

/**
 * Takes the message from the first catalogue that has it and fills its {name} places. Where
 * {n} is 1, that catalogue may have other words under key.one, as in Go.
 */
export function translate(chain: (Messages | undefined)[], key: string, args: Record<string, string | number> = {}): string {
  const messages = chain.find((messages) => messages && Object.hasOwn(messages, key))
  const one = String(args.n) === '1' ? messages?.[`${key}.one`] : undefined
  const message = one ?? messages?.[key] ?? key
  return message.replace(/\{(\w+)\}/g, (place, name: string) => (Object.hasOwn(args, name) ? String(args[name]) : place))
}

/** Whether some loaded language has a message under key. */
export function has(key: string): boolean {
  return Object.values(catalogs).some((messages) => Object.hasOwn(messages, key))
}

/** The message under key in the current language, or the key itself where nobody has one. */
export function t(key: string, args?: Record<string, string | number>): string {
  const chain = [language.value, ...fallbacks]
  if (!has(key)) for (const lang of chain) void load(lang)
  return translate(chain.map((lang) => catalogs[lang]), key, args)
}

async function load(lang: string): Promise<void> {
  const loader = loaders[lang]
  if (!loader || catalogs[lang]) return
  const messages = await loader()
  catalogs[lang] ??= messages
}

/** Picks the language: the one asked for by name, the one chosen before, the browser's. */
export function pick(have: string[], asked: string | null, stored: string | null, browser: readonly string[]): string {
  for (const tag of [asked, stored, ...browser]) {
    if (!tag) continue
    const exact = have.find((lang) => lang.toLowerCase() === tag.toLowerCase())
    const base = have.find((lang) => lang.split('-')[0] === tag.toLowerCase().split('-')[0])
    if (exact ?? base) return (exact ?? base)!
  }
  return have.includes('zh-CN') ? 'zh-CN' : have[0]!
}

/** Loads a language and shows the screens in it from now on. */
export async function setLanguage(lang: string, remember = true): Promise<void> {
  await load(lang)
  language.value = lang
  document.documentElement.lang = lang
  if (remember) store('tianhai.lang', lang)
}

/** Loads the language that ?lang, an earlier choice or the browser asks for. */
export async function startLanguage(): Promise<void> {
  const asked = new URLSearchParams(location.search).get('lang')
  await setLanguage(pick(languages, asked, recall('tianhai.lang'), navigator.languages), asked !== null)
}

/** localStorage, which private windows and some WebViews refuse. */
export function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // The choice then lasts as long as the page.
  }
}

/** What store kept, or null. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}
