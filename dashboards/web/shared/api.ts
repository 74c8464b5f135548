// The one way to /api/v1: JSON in, JSON out, a deadline, and problems by code.
import { setServerTime } from './clock'
import { has, t } from './i18n'

/** A request that did not succeed. The code is stable; see problem.{code}. */
export class ApiError extends Error {
  constructor(
    readonly code: string, // from problem+json; "network" or "timeout" where no answer came
    readonly status = 0,
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

export const api = {
  get: <T>(path: string, signal?: AbortSignal) => request<T>('GET', path, undefined, signal),
  post: <T>(path: string, body: unknown) => request<T>('POST', path, body),
  delete: (path: string) => request<void>('DELETE', path),
}

async function request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const timer = new AbortController()
  const timeout = setTimeout(() => timer.abort(), deadline)
  const abort = () => timer.abort()
  signal?.addEventListener('abort', abort)
  try {
    const answer = await fetch('/api/v1' + path, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: timer.signal,
    })
    setServerTime(answer.headers.get('Date'))
    if (!answer.ok) throw new ApiError(await problemCode(answer), answer.status)
    return (answer.status === 204 ? undefined : await answer.json()) as T
  } catch (e) {
    if (e instanceof ApiError) throw e
    throw new ApiError(timer.signal.aborted ? (signal?.aborted ? 'aborted' : 'timeout') : 'network')
  } finally {
    clearTimeout(timeout)
    signal?.removeEventListener('abort', abort)
  }
}

async function problemCode(answer: Response): Promise<string> {
  try {
    const problem: unknown = await answer.json()
    if (problem && typeof problem === 'object' && 'code' in problem && typeof problem.code === 'string') return problem.code
  } catch {
    // A proxy's page, or nothing.
  }
  return `status_${answer.status}`
}

/** What to tell the person about an error. */
export function explain(e: unknown): string {
  if (!(e instanceof ApiError)) return t('web.error.unknown')
  // Without a status the code is our own: no server said it.
  if (e.status === 0) return t(e.code === 'timeout' ? 'web.error.timeout' : 'web.error.network')
  if (has(`problem.${e.code}`)) return t(`problem.${e.code}`)
  if (e.status >= 500) return t('web.error.server')
  return t('web.error.unknown')
}

/** Milliseconds to wait before attempt n, counted from 1: doubling, at most a minute. */
export function backoff(attempt: number): number {
  return Math.min(60_000, 1000 * 2 ** Math.min(attempt, 10))
}
