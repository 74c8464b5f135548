// Where a GTIN leads: the kinds of link that there are, and how addresses are written.

/** Who holds a GTIN, and of which product it is. */
export interface Holding {
  gtin: string
  tenant: string
  product: string
}

/** A link as the server keeps it; empty members are left out. */
export interface GTINLink {
  id: string
  type: string
  href: string
  title: string
  lot?: string
  serial?: string
  language?: string
  media?: string
  context?: string
}

/** Where one scan leads: one link, several to choose from, or none. */
export interface Lead {
  uri: string
  links: { type: string; href: string; title: string; language?: string }[]
}

/** Links that are followed where nobody asks for a kind. */
export const defaults = ['defaultLink', 'defaultLinkMulti']

/** Kinds that a farm is likely to have. */
export const common = [
  'pip', 'homepage', 'recipeInfo', 'ingredientsInfo', 'nutritionalInfo', 'allergenInfo', 'consumerHandlingStorageInfo', 'certificationInfo', 'traceability',
  'safetyInfo', 'sustainabilityInfo', 'relatedVideo', 'hasRetailers', 'promotion', 'socialMedia', 'leaveReview', 'faqs', 'support',
]

/** All others of the GS1 Web Vocabulary. */
export const others = [
  'activityIdeas', 'appDownload', 'brandHomepageClinical', 'brandHomepagePatient', 'careersInfo', 'disassemblyInfo', 'dpp', 'eifu', 'epcis', 'epil', 'eventsInfo',
  'handledBy', 'handlingEndOfLife', 'instructions', 'jws', 'locationInfo', 'logisticsInfo', 'loyaltyProgram', 'masterData', 'menuInfo', 'openingHoursInfo',
  'paymentLink', 'productPassport', 'productSustainabilityInfo', 'purchaseSuppliesOrAccessories', 'quickStartGuide', 'recallStatus', 'recyclingInfo',
  'registerProduct', 'registryEntry', 'relatedImage', 'repairInfo', 'reuseInfo', 'review', 'scheduleTime', 'serviceInfo', 'smartLabel', 'smpc', 'sorting',
  'statisticInfo', 'subscribe', 'tutorial', 'userAgreement', 'verificationService', 'whatsInTheBox',
]

/** Languages that links are offered in; others stay as they are. */
export const languages = ['zh-CN', 'en', 'vi', 'th', 'id', 'ms', 'km', 'lo', 'my', 'fil', 'ja', 'ko']

/** What links lead to, mostly. */
export const media = ['text/html', 'application/pdf', 'application/json', 'image/jpeg', 'video/mp4']

/** The key of a kind's name. */
export const typeKey = (type: string) => `manage.link_type.${type.replace(/[A-Z]/g, (c) => '_' + c.toLowerCase())}`

/** An address as a URI that links may have: https, Chinese percent-encoded, and https://
 *  put before it where it is missing; undefined where it can be none. */
export function address(typed: string): string | undefined {
  const text = typed.trim()
  if (!text || /\s/.test(text)) return undefined
  try {
    const url = new URL(/^[a-z][a-z0-9+.-]*:/i.test(text) && !/^[^/]+:\d/.test(text) ? text : 'https://' + text)
    return url.protocol === 'https:' && url.hostname.includes('.') && !url.username && !url.password ? url.href : undefined
  } catch {
    return undefined
  }
}

/** An address as people read it, with Chinese in its path; the same where that would not
 *  lead to the same place. */
export function readable(href: string): string {
  try {
    const text = decodeURI(href)
    return address(text) === href ? text : href
  } catch {
    return href
  }
}

/** What the server is told of a link: a default link has nothing that tells it from
 *  others, and what the server has added itself is left out. */
export function told(form: GTINLink): Omit<GTINLink, 'id'> {
  const whole = defaults.includes(form.type) // for the whole product
  const only = form.type === 'defaultLink'
  return {
    type: form.type,
    href: address(form.href) ?? form.href.trim(),
    title: form.title.trim(),
    lot: whole ? '' : form.lot?.trim(),
    serial: whole ? '' : form.serial?.trim(),
    language: only ? '' : form.language,
    media: only ? '' : form.media,
    context: only ? '' : form.context?.trim(),
  }
}
