import { reactive } from 'vue'

export interface Draft {
  code: string
  site: string
  name: string
}

const drafts = new Map<string, Draft>()

/** What was typed to claim a device. It outlives the form, so that nobody types a code
 *  again after a session has ended, and not the page, which others may open later. */
export function draftOf(device: string): Draft {
  const known = drafts.get(device) ?? reactive({ code: '', site: '', name: '' })
  drafts.set(device, known)
  return known
}
