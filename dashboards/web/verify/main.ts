// The "check now" button of the consumer page. Every word it shows stands in the
// page already, in the page's language; the script only says which of them hold.
import { check, Failure, statementKinds, type Crypto, type Input } from './check'
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

/** Whether what the page shows under data-sealed is what was sealed; a statement's own is not the page's. */
export function shown(root: ParentNode, body: unknown): boolean {
  const marked = [...root.querySelectorAll<HTMLElement>('[data-sealed]')].filter((e) => root instanceof Element || !e.closest('[data-statement]'))
  return marked.length > 0 && marked.every((e) => (e.getAttribute('value') ?? e.textContent?.trim()) === String(at(body, e.dataset.sealed as string)))
}

type State = 'ok' | 'bad' | 'open'

/** What the check of each statement comes to, by what it is about, and what was taken back. */
async function prove(crypto: Crypto, input: Input, answer: string): Promise<{ bodies: Map<string, unknown>; voided: Set<string> }> {
  const all = (JSON.parse(answer) as { statements: { record: { t: string; subject: string }; receipt: string }[] }).statements
  const bodies = new Map<string, unknown>()
  const voided = new Set<string>()
  for (const { record, receipt } of all) {
    if (!Object.hasOwn(statementKinds, record.t) || !receipt) continue
    let body: unknown = null // what does not hold proves nothing
    try {
      body = (await check(crypto, { ...input, opening: JSON.stringify(record), receipt })).body
    } catch (e) {
      if (!(e instanceof Failure)) throw e
    }
    if (record.t !== 'void') bodies.set(record.subject, body)
    else if (body) voided.add(record.subject)
  }
  return { bodies, voided }
}

/** Checks certificates and reports one by one, and writes under each what was proven of it. */
export async function statements(crypto: Crypto, input: Input, answer: string, words: DOMStringMap): Promise<State[]> {
  const { bodies, voided } = await prove(crypto, input, answer)
  return [...document.querySelectorAll<HTMLElement>('[data-statement]')].map((article) => {
    const id = article.dataset.statement as string
    const body = bodies.get(id)
    const hidden = voided.has(id) && !article.classList.contains('gone') // it was taken back, and the page is silent
    const state = !bodies.has(id) ? 'open' : body && !hidden && shown(article, body) ? 'ok' : 'bad'
    const said = article.querySelector('.checked') ?? article.appendChild(document.createElement('p'))
    said.className = `checked ${state}`
    said.textContent = (state === 'ok' ? '✔ ' : state === 'bad' ? '✖ ' : '') + (words[`said${state}`] ?? '')
    return state
  })
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
    if (same && document.querySelector('[data-statement]')) {
      let answer
      try {
        answer = await text(`/t/${code}/statements`)
      } catch {
        end('error')
        return
      }
      const batch = String(at(body, 'batch'))
      if ((await statements(crypto, { ...input, batch }, answer, box.dataset)).includes('bad')) {
        end('bad')
        return
      }
    }
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
