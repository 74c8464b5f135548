/// <reference types="node" />
// @vitest-environment happy-dom
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Input } from './check'
import { statements } from './main'

const sha = (...parts: (string | Buffer)[]) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest()

/** A log of one record, written from the texts that check.ts is written from. */
class Log {
  readonly pair = generateKeyPairSync('ed25519')
  readonly typed = Buffer.concat([Buffer.of(1), this.pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)])
  readonly id = sha('log.test\n', this.typed).subarray(0, 4)
  readonly key = `log.test+${this.id.toString('hex')}+${this.typed.toString('base64')}`

  seal(t: string, subject: string, body: object, by: KeyObject = this.pair.privateKey) {
    const record = { v: 1, t, subject, salt: '00'.repeat(16), body: JSON.stringify(body) }
    const leaf = Buffer.from(`{"v":1,"t":"${t}","i":"${subject}","h":"${sha(Buffer.alloc(16), record.body).toString('hex')}"}`)
    const text = `log.test\n1\n${sha(Buffer.of(0), leaf).toString('base64')}\n`
    const signature = Buffer.concat([this.id, sign(null, Buffer.from(text), by)]).toString('base64')
    return { record, receipt: `c2sp.org/tlog-proof@v1\nextra ${leaf.toString('base64')}\nindex 0\n\n${text}\n— log.test ${signature}\n` }
  }
}

const log = new Log()
const crypto = () => import('./noble')
const input: Input = { opening: '', receipt: '', key: log.key, code: 'CODE', batch: 'B1' }
const words = { saidok: 'proven', saidbad: 'false', saidopen: 'no receipt' } as unknown as DOMStringMap

const certificate = { v: 1, id: 'C1', batch: 'B1', number: '2026-000001', quantity: 3 }
const report = { v: 1, id: 'R1', batch: 'B1', laboratory: '桂检', verdict: 'fail', items: [{ name: '镉', result: '2.6' }] }
const voided = { v: 1, id: 'V1', batch: 'B1', voids: 'C1' }
const sealed = () => [log.seal('certificate', 'C1', certificate), log.seal('report', 'R1', report)]
const page = (gone = '', result = '2.6') => `
  <article class="statement ${gone}" data-statement="C1"><span data-sealed="number">2026-000001</span> <data value="3" data-sealed="quantity">三</data></article>
  <article class="statement" data-statement="R1"><data value="fail" data-sealed="verdict">不合格</data> <span data-sealed="items.0.name">镉</span> <span data-sealed="items.0.result">${result}</span></article>`

const prove = async (all: object[]) => statements(await crypto(), input, JSON.stringify({ statements: all }), words)

describe('statements', () => {
  beforeEach(() => {
    document.body.innerHTML = page()
  })

  it('proves each by its own receipt, and says so under it', async () => {
    expect(await prove(sealed())).toEqual(['ok', 'ok'])
    expect([...document.querySelectorAll('.checked')].map((e) => e.textContent)).toEqual(['✔ proven', '✔ proven'])
  })

  it('says of one without a receipt that it was not checked', async () => {
    const [first, second] = sealed()
    expect(await prove([{ ...first, receipt: '' }, second as object])).toEqual(['open', 'ok'])
    expect(document.querySelector('.checked')?.textContent).toBe('no receipt')
  })

  it('does not take one for the other', async () => {
    const [first, second] = sealed()
    expect(await prove([{ ...first, receipt: second?.receipt }, second as object])).toEqual(['bad', 'ok'])
  })

  it('finds a fact that the page has changed', async () => {
    document.body.innerHTML = page('', '0.6')
    expect(await prove(sealed())).toEqual(['ok', 'bad'])
    expect(document.querySelectorAll('.checked')[1]?.textContent).toBe('✖ false')
  })

  it('refuses what is about another batch, or by another key', async () => {
    const other = log.seal('certificate', 'C1', { ...certificate, batch: 'B2' })
    const forged = log.seal('report', 'R1', report, generateKeyPairSync('ed25519').privateKey)
    expect(await prove([other, forged])).toEqual(['bad', 'bad'])
  })

  it('refuses a record of another kind in the place of a statement', async () => {
    const [, second] = sealed()
    expect(await prove([log.seal('operation', 'C1', certificate), second as object])).toEqual(['open', 'ok'])
  })

  it('finds that a certificate was taken back and the page is silent', async () => {
    const all = [...sealed(), log.seal('void', 'C1', voided)]
    expect(await prove(all)).toEqual(['bad', 'ok'])
    document.body.innerHTML = page('gone')
    expect(await prove(all)).toEqual(['ok', 'ok'])
  })
})
