// The "check now" button of the consumer page. Every word it shows stands in the
// page already, in the page's language; the script only says which of them hold.
import { check, Failure } from './check'
import { pick } from './crypto'

async function text(url: string): Promise<string> {
  const answer = await fetch(url, { cache: 'no-store', credentials: 'omit' })
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
  return answer.text()
}

/** The value at "origin.town.zh" in the sealed body. */
function at(body: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((o, k) => (o === null || typeof o !== 'object' ? undefined : (o as Record<string, unknown>)[k]), body)
}

/** Whether what the page shows under data-sealed is what was sealed. */
export function shown(root: ParentNode, body: unknown): boolean {
  const marked = [...root.querySelectorAll<HTMLElement>('[data-sealed]')]
  return marked.length > 0 && marked.every((e) => (e.getAttribute('value') ?? e.textContent?.trim()) === String(at(body, e.dataset.sealed as string)))
}

export async function run(box: HTMLElement): Promise<void> {
  const { code = '', key = '', record = '', receipt = '', witnesses = '', quorum = '0' } = box.dataset
  const status = box.querySelector('[role=status]') as HTMLElement
  const list = box.querySelector('ol') as HTMLElement
  const mark = (step: string, holds: boolean) => {
    const item = list.querySelector<HTMLElement>(`[data-step=${step}]`)
    if (!item) return
    item.dataset.state = holds ? 'ok' : 'bad'
    if (!holds) item.textContent = item.dataset.bad ?? ''
    item.prepend(holds ? '✔ ' : '✖ ')
  }
  const end = (state: 'ok' | 'bad' | 'error') => {
    box.dataset.state = state
    status.textContent = box.dataset[state] ?? ''
  }
  box.dataset.state = 'working'
  status.textContent = box.dataset.working ?? ''
  let crypto, input
  try {
    crypto = await pick()
    const [opening, proof] = await Promise.all([text(record), text(receipt)])
    input = { opening, receipt: proof, key, code, witnesses: witnesses.split(' '), quorum: Number(quorum) }
  } catch {
    end('error')
    if (button) button.hidden = false // to try again
    return
  }
  list.hidden = false
  try {
    const { body } = await check(crypto, input, (step) => mark(step, true))
    const same = shown(document, body)
    mark('page', same)
    end(same ? 'ok' : 'bad')
  } catch (e) {
    if (e instanceof Failure) mark(e.step, false)
    end('bad')
  }
}

const box = document.getElementById('verify')
const button = box?.querySelector('button')
if (box && button) {
  button.hidden = false
  button.addEventListener('click', () => {
    button.hidden = true
    void run(box)
  })
}
