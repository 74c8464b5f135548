// What kinds of link and their languages are called.
import { language, t } from '../shared/i18n'
import { typeKey } from './links'

export const typeName = (type: string) => t(typeKey(type))

/** What a language is called in that of the screen; the tag where nobody knows. */
export function languageName(tag: string | undefined): string {
  if (!tag) return ''
  try {
    return new Intl.DisplayNames([language.value], { type: 'language' }).of(tag) ?? tag
  } catch {
    return tag
  }
}
