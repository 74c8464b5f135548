// Where the person is, kept in the address after #, so that a link leads back there.
import { reactive, readonly } from 'vue'

export interface Route {
  path: string[] // "#/site/a?b=c" is ["site", "a"]
  query: Record<string, string>
}

/** Reads an address's hash. */
export function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  return {
    path: path.split('/').filter(Boolean).map(decode),
    query: Object.fromEntries(new URLSearchParams(query)),
  }
}

/** The hash of a place; empty parameters are left out. */
export function link(path: string[], query: Record<string, string | undefined> = {}): string {
  const set = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]))
  const search = new URLSearchParams(set).toString()
  return '#/' + path.map(encodeURIComponent).join('/') + (search && '?' + search)
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

const current = reactive<Route>(parse(location.hash))

addEventListener('hashchange', () => Object.assign(current, parse(location.hash)))

/** The place now. */
export const route = readonly(current)

/** Changes parameters of the place without a new step in the browser's history. */
export function refine(query: Record<string, string | undefined>): void {
  history.replaceState(null, '', link(current.path, { ...current.query, ...query }))
  Object.assign(current, parse(location.hash))
}
