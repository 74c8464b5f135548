/// <reference types="node" />
// @vitest-environment happy-dom
import { readFileSync } from 'node:fs'
import { webcrypto } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { check, Failure, type Crypto, type Input, type Step } from './check'
import { pick } from './crypto'
import { run, shown } from './main'

// Made by the Go program: go test ./dashboards/consumer -run TestVectors -update
const file = (name: string) => readFileSync(`${import.meta.dirname}/testdata/${name}`, 'utf8')
const opening = file('record.json')
const good: Input = { opening, receipt: file('receipt.tlog-proof'), key: file('key.txt').trim(), code: JSON.parse(opening).code }

const witnesses = file('witnesses.txt').trim().split('\n')
good.witnesses = witnesses
good.quorum = 2

const subtle = webcrypto.subtle as unknown as SubtleCrypto
const withoutEd25519 = {
  digest: subtle.digest.bind(subtle),
  importKey: () => Promise.reject(new DOMException('Ed25519', 'NotSupportedError')),
} as unknown as SubtleCrypto

// happy-dom may bring a crypto of its own; node's stands for the browser's.
const ways: Record<string, () => Promise<Crypto>> = {
  'the browser’s cryptography': () => pick(subtle),
  'a browser without Ed25519': () => pick(withoutEd25519),
  'a page over plain http': () => import('./noble'),
}

async function failedStep(crypto: Crypto, input: Input): Promise<Step | 'none'> {
  try {
    await check(crypto, input)
    return 'none'
  } catch (e) {
    if (e instanceof Failure) return e.step
    throw e
  }
}

function replaced(text: string, old: string | RegExp, by: string): string {
  const out = text.replace(old, by)
  if (out === text) throw new Error(`nothing to replace: ${old}`)
  return out
}

const flip = (b64: string, at: number) => {
  const raw = Buffer.from(b64, 'base64')
  raw[at] = (raw[at] as number) ^ 1
  return raw.toString('base64')
}

const lines = good.receipt.split('\n')
const withLine = (n: number, line: string) => ({ ...good, receipt: lines.with(n, line).join('\n') })
const gap = lines.indexOf('')
const signature = lines.findIndex((l) => l.startsWith('— '))
const [, signer, sig] = /^— (\S+) (\S+)$/.exec(lines[signature] as string) as unknown as [string, string, string]

const spoiltAt = (at: number) => (lines[signature + 1] as string).replace(/ (\S+)$/, (_, s: string) => ` ${flip(s, at)}`)
const fake = `${witnesses[0]}`.replace('witness.test/a', 'witness.test/x')

const spoilt: Record<string, [Step, Input]> = {
  'other personal data': ['record', { ...good, opening: replaced(opening, '"text":"一', '"text":"二') }],
  'another salt of personal data': ['record', { ...good, opening: replaced(opening, '"salt":"30313233343536373839616263646566","text"', '"salt":"30313233343536373839616263646567","text"') }],
  'personal data at another place': ['record', { ...good, opening: replaced(opening, '"path":"origin.site.zh"', '"path":"origin.town.zh"') }],
  'another body': ['record', { ...good, opening: replaced(opening, 'MW-2026', 'MW-2025') }],
  'another salt': ['record', { ...good, opening: replaced(opening, /"salt":"../, '"salt":"00') }],
  'another code in the record': ['record', { ...good, opening: replaced(opening, /"code":"./, '"code":"~') }],
  'the page of another code': ['record', { ...good, code: 'X' }],
  'another leaf': ['record', withLine(1, `extra ${flip((lines[1] as string).slice(6), 9)}`)],
  'another header': ['record', withLine(0, 'c2sp.org/tlog-proof@v2')],
  'index with a zero before': ['record', withLine(2, 'index 05')],
  'a record that is none': ['record', { ...good, opening: '[]' }],
  'a receipt that is none': ['record', { ...good, receipt: '' }],
  'a loose base64': ['record', withLine(3, (lines[3] as string).replace(/(.)=$/, (_, c: string) => String.fromCharCode(c.charCodeAt(0) + 1) + '='))],
  'another index': ['tree', withLine(2, 'index 4')],
  'an index past the tree': ['tree', withLine(2, 'index 7')],
  'a false hash': ['tree', withLine(3, flip(lines[3] as string, 0))],
  'a missing hash': ['tree', { ...good, receipt: lines.toSpliced(3, 1).join('\n') }],
  'a hash too many': ['tree', { ...good, receipt: lines.toSpliced(gap, 0, lines[3] as string).join('\n') }],
  'another root': ['tree', withLine(gap + 3, flip(lines[gap + 3] as string, 0))],
  'another size': ['tree', withLine(gap + 2, '9')],
  'a size that fits the path as well': ['signature', withLine(gap + 2, '8')],
  'a false signature': ['signature', withLine(signature, `— ${signer} ${flip(sig, 20)}`)],
  'another signer': ['signature', withLine(signature, `— other.example ${sig}`)],
  'another log’s key': ['signature', { ...good, key: `other.example${good.key.slice(good.key.indexOf('+'))}` }],
  'a witness that did not sign': ['witnesses', { ...good, witnesses: [...witnesses, fake], quorum: 3 }],
  'too few witnesses': ['witnesses', { ...good, witnesses: witnesses.slice(0, 1) }],
  'a witness counted twice': ['witnesses', { ...good, witnesses: [witnesses[0] as string, witnesses[0] as string] }],
  'a false cosignature': ['witnesses', withLine(signature + 1, spoiltAt(40))],
  'a cosignature of another time': ['witnesses', withLine(signature + 1, spoiltAt(8))],
  'the log as its own witness': ['witnesses', { ...good, witnesses: [good.key], quorum: 1 }],
  'half a key': ['signature', { ...good, key: good.key.slice(0, -10) }],
  'a key of another hash': ['signature', { ...good, key: replaced(good.key, /\+......../, '+00000000') }],
}

describe.each(Object.entries(ways))('check by %s', (_name, way) => {
  it('holds for what Go sealed', async () => {
    const held: Step[] = []
    const { index, size, body } = await check(await way(), good, (s) => held.push(s))
    expect(held).toEqual(['record', 'tree', 'signature', 'witnesses'])
    expect([index, size]).toEqual([5, 7])
    expect((body as { lot: string }).lot).toBe('MW-2026-11-19')
  })

  it.each(Object.entries(spoilt))('fails for %s', async (_what, [step, input]) => {
    expect(await failedStep(await way(), input)).toBe(step)
  })

  it('shows personal data that were committed to, and holds without them', async () => {
    const site = (b: unknown) => (b as { origin: { site: { zh: string } } }).origin.site.zh
    expect(site((await check(await way(), good)).body)).toBe('一号蚝排')
    const { personal: _, ...erased } = JSON.parse(opening)
    expect(site((await check(await way(), { ...good, opening: JSON.stringify({ ...erased, v: 1 }) })).body)).toBe('')
  })

  it('passes over a witness', async () => {
    const witnessed = lines.toSpliced(signature, 0, `— witness.example ${flip(sig, 20)}`).join('\n')
    expect(await failedStep(await way(), { ...good, receipt: witnessed })).toBe('none')
  })
})

function page(lot: string): HTMLElement {
  document.body.innerHTML = `<b data-sealed="lot"> ${lot} </b><data value="1250.5" data-sealed="quantity">1,250.5</data>
    <div id="box" data-code="${good.code}" data-key="${good.key}" data-record="/record" data-receipt="/receipt" data-working="W" data-ok="OK" data-bad="BAD" data-error="ERROR">
    <ol hidden>${['record', 'tree', 'signature', 'page'].map((s) => `<li data-step="${s}" data-bad="no ${s}">yes ${s}</li>`).join('')}</ol><p role="status"></p></div>`
  return document.getElementById('box') as HTMLElement
}

function serve(answers: Record<string, string>) {
  vi.stubGlobal('fetch', async (url: string) => ({ ok: url in answers, status: 404, text: async () => answers[url] }))
  vi.stubGlobal('crypto', { subtle })
}

describe('the page', () => {
  afterEach(() => vi.unstubAllGlobals())
  const marks = (box: HTMLElement) => [...box.querySelectorAll('li')].map((li) => li.textContent)

  it('says step by step that all holds', async () => {
    serve({ '/record': good.opening, '/receipt': good.receipt })
    const box = page('MW-2026-11-19')
    await run(box)
    expect(box.dataset.state).toBe('ok')
    expect(box.querySelector('[role=status]')?.textContent).toBe('OK')
    expect(marks(box)).toEqual(['✔ yes record', '✔ yes tree', '✔ yes signature', '✔ yes page'])
    expect(box.querySelector('ol')?.hidden).toBe(false)
  })

  it('says that it shows something else than was sealed', async () => {
    serve({ '/record': good.opening, '/receipt': good.receipt })
    const box = page('MW-2026-11-20')
    await run(box)
    expect(box.dataset.state).toBe('bad')
    expect(marks(box).at(-1)).toBe('✖ no page')
  })

  it('says where a tampered record fails, and nothing after it', async () => {
    serve({ '/record': replaced(good.opening, 'MW-2026', 'MW-2025'), '/receipt': good.receipt })
    const box = page('MW-2025-11-19')
    await run(box)
    expect(box.dataset.state).toBe('bad')
    expect(marks(box)).toEqual(['✖ no record', 'yes tree', 'yes signature', 'yes page'])
  })

  it('does not call a lost file a failed check', async () => {
    serve({ '/record': good.opening })
    const box = page('MW-2026-11-19')
    await run(box)
    expect(box.dataset.state).toBe('error')
    expect(box.querySelector('[role=status]')?.textContent).toBe('ERROR')
  })

  it('compares nothing as unequal', () => {
    document.body.innerHTML = ''
    expect(shown(document, {})).toBe(false)
  })
})
