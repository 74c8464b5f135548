// The one way to /api/v1: JSON in, JSON out, a deadline, and problems by code.
import { setServerTime } from './clock'
import { has, language, t } from './i18n'

/** What is wrong with one field of what was handed in. */
export interface Fault {
  line?: number // of a file; the first is 1
  field: string // such as "channels[2].key", or a column of a file
  reason: string // English
}

/** A request that did not succeed. The code is stable; see problem.{code}. */
export class ApiError extends Error {
  constructor(
    readonly code: string, // from problem+json; "network" or "timeout" where no answer came
    readonly status = 0,
    readonly field = '', // of the request, where one is at fault
    readonly detail = '', // what is wrong with it, in English
    readonly faults: Fault[] = [], // everything that is wrong, where there may be much
    readonly more: Record<string, unknown> = {}, // the problem as a whole, with what is its own
    readonly title = '', // in the language that was asked for
  ) {
    super(code)
  }

  /** Whether the same request may succeed later without anybody doing anything. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

/** Longest wait for an answer, in milliseconds. */
export const deadline = 15_000

/** The same where a file is sent over a bad line. */
export const uploadDeadline = 30 * 60_000

/** put and delete change only what is still as it was when seen was read, which is an
 *  answer of get or what changedTo told; otherwise they fail, and changedTo tells what is
 *  there. Without seen the last one wins. */
export const api = {
  get: <T>(path: string, signal?: AbortSignal) => request<T>('GET', path, undefined, { signal }),
  post: <T>(path: string, body: unknown) => request<T>('POST', path, body),
  put: <T>(path: string, body: unknown, seen?: object) => request<T>('PUT', path, body, { seen }),
  upload,
  uploadTold,
  file,
  delete: (path: string, seen?: object) => request<void>('DELETE', path, undefined, { seen }),
}

/** The ETag of everything that was read, as long as somebody has it. */
const tags = new WeakMap<object, string>()

function tag<T>(body: T, of: Response): T {
  const etag = of.headers.get('ETag')
  if (etag && typeof body === 'object' && body !== null) tags.set(body, etag)
  return body
}

/** What is there instead of what was seen, where an error says that somebody has changed
 *  it meanwhile; undefined for every other error, and where it is gone. */
export function changedTo<T extends object>(e: unknown): T | undefined {
  return e instanceof ApiError && e.code === 'changed' ? (e.more.current as T | undefined) : undefined
}

async function request<T>(method: string, path: string, body?: unknown, { signal, seen }: { signal?: AbortSignal; seen?: object } = {}): Promise<T> {
  const etag = seen && tags.get(seen)
  const timer = new AbortController()
  const timeout = setTimeout(() => timer.abort(), deadline)
  const abort = () => timer.abort()
  signal?.addEventListener('abort', abort)
  try {
    const answer = await fetch('/api/v1' + path, {
      method,
      headers: { 'Accept-Language': language.value, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...(etag ? { 'If-Match': etag } : {}) },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: timer.signal,
    })
    setServerTime(answer.headers.get('Date'))
    if (!answer.ok) throw await problem(answer)
    return tag((answer.status === 204 ? undefined : await answer.json()) as T, answer)
  } catch (e) {
    if (e instanceof ApiError) throw e
    throw new ApiError(timer.signal.aborted ? (signal?.aborted ? 'aborted' : 'timeout') : 'network')
  } finally {
    clearTimeout(timeout)
    signal?.removeEventListener('abort', abort)
  }
}

/** Sends a file and hears how far its work is: the answer comes line by line, and the last
 *  line is what it comes to. Whoever waits minutes is not cut off. */
async function uploadTold<T>(path: string, file: Blob, told: (text: string) => void): Promise<T> {
  try {
    const answer = await fetch('/api/v1' + path, {
      method: 'POST',
      headers: { 'Content-Type': file.type || 'application/octet-stream', Accept: 'application/x-ndjson' },
      body: file,
      credentials: 'same-origin',
      cache: 'no-store',
    })
    if (!answer.ok) throw await problem(answer)
    const reader = answer.body!.getReader()
    const decoder = new TextDecoder()
    let text = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      text += decoder.decode(value, { stream: true })
      told(text)
    }
    return JSON.parse(text.trim().split('\n').at(-1)!) as T
  } catch (e) {
    if (e instanceof ApiError) throw e
    throw new ApiError('network')
  }
}

/** Fetches a file, and hears how much of it has come. A long one is not cut off. */
async function file(path: string, signal?: AbortSignal, come: (bytes: number) => void = () => {}): Promise<Blob> {
  try {
    const answer = await fetch('/api/v1' + path, { headers: { 'Accept-Language': language.value }, credentials: 'same-origin', cache: 'no-store', signal })
    if (!answer.ok) throw await problem(answer)
    const reader = answer.body!.getReader()
    const parts: BlobPart[] = []
    let bytes = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      parts.push(value)
      come((bytes += value.length))
    }
    return new Blob(parts, { type: answer.headers.get('Content-Type') ?? '' })
  } catch (e) {
    if (e instanceof ApiError) throw e
    throw new ApiError(signal?.aborted ? 'aborted' : 'network')
  }
}

/** Sends a file as it is, and tells how much of it has gone, from 0 to 1: fetch cannot. */
function upload<T>(path: string, file: Blob, type: string, progress: (part: number) => void = () => {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    xhr.open('POST', '/api/v1' + path)
    xhr.setRequestHeader('Content-Type', type)
    xhr.timeout = uploadDeadline
    xhr.upload.onprogress = (e) => e.lengthComputable && e.total > 0 && progress(e.loaded / e.total)
    xhr.upload.onload = () => progress(1)
    xhr.onerror = () => reject(new ApiError('network'))
    xhr.ontimeout = () => reject(new ApiError('timeout'))
    xhr.onload = async () => {
      setServerTime(xhr.getResponseHeader('Date'))
      const answer = new Response(xhr.status === 204 ? null : xhr.responseText, { status: xhr.status })
      if (!answer.ok) reject(await problem(answer))
      else answer.json().then((body) => resolve(body as T), () => reject(new ApiError(`status_${xhr.status}`, xhr.status)))
    }
    xhr.send(file)
  })
}

async function problem(answer: Response): Promise<ApiError> {
  try {
    const p = (await answer.json()) as Record<string, unknown> | null
    const word = (name: string) => (typeof p?.[name] === 'string' ? (p[name] as string) : '')
    tag(p?.current, answer)
    const faults = Array.isArray(p?.faults) ? (p.faults as Fault[]) : []
    if (word('code')) return new ApiError(word('code'), answer.status, word('field'), word('detail'), faults, p ?? {}, word('title'))
  } catch {
    // A proxy's page, or nothing.
  }
  return new ApiError(`status_${answer.status}`, answer.status)
}

/** What to tell the person about an error. */
export function explain(e: unknown): string {
  if (!(e instanceof ApiError)) return t('web.error.unknown')
  // Without a status the code is our own: no server said it.
  if (e.status === 0) return t(e.code === 'timeout' ? 'web.error.timeout' : 'web.error.network')
  if (e.field && has(`field.${e.field}`)) return t('web.error.field', { field: t(`field.${e.field}`) })
  if (e.code.startsWith('gate_') && e.title) return e.title // it names product and day
  if (has(`problem.${e.code}`)) {
    const words = t(`problem.${e.code}`)
    return words.includes('{') && e.title ? e.title : words // the server fills in how much is left
  }
  if (e.status >= 500) return t('web.error.server')
  return t('web.error.unknown')
}

/** Milliseconds to wait before attempt n, counted from 1: doubling, at most a minute. */
export function backoff(attempt: number): number {
  return Math.min(60_000, 1000 * 2 ** Math.min(attempt, 10))
}
