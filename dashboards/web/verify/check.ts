// Checks a batch's record, or a statement about the batch, against its receipt, offline: c2sp.org/tlog-proof@v1,
// c2sp.org/tlog-checkpoint, c2sp.org/signed-note and RFC 6962 hashing. It is
// written from those texts and shares no code with the server that it checks.

export type Bytes = Uint8Array<ArrayBuffer>

/** What the check needs of cryptography. */
export interface Crypto {
  sha256(data: Bytes): Promise<Bytes>
  ed25519(key: Bytes, signature: Bytes, message: Bytes): Promise<boolean>
}

/** The steps, in the order in which they are taken. */
export const steps = ['record', 'tree', 'signature', 'witnesses'] as const
export type Step = (typeof steps)[number]

/** A step that did not hold. The message is for developers. */
export class Failure extends Error {
  constructor(
    readonly step: Step,
    message: string,
  ) {
    super(message)
  }
}

export interface Input {
  opening: string // what /t/{code}/record answers
  receipt: string // what /t/{code}/receipt answers
  key: string // the log's public key, "origin+hash+base64"
  code: string // the code of the page
  batch?: string // of a statement, the ID of the batch that it must be about
  witnesses?: string[] // public keys of witnesses, "name+hash+base64"
  quorum?: number // how many of them must have cosigned; none when not given
}

const utf8 = new TextEncoder()

function base64(text: string): Bytes {
  const raw = atob(text)
  const out = new Uint8Array(raw.length)
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i)
  // One text for one value: no loose last bits, no white space.
  if (btoa(raw) !== text) throw new Error('loose base64')
  return out
}

function hexBytes(text: string): Bytes {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error('no hex')
  return new Uint8Array((text.match(/../g) ?? []).map((h) => parseInt(h, 16)))
}

const hex = (data: Bytes) => [...data].map((b) => b.toString(16).padStart(2, '0')).join('')

function join(...parts: Bytes[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}

const equal = (a: Bytes, b: Bytes) => a.length === b.length && a.every((v, i) => v === b[i])

function decimal(text: string): number {
  const n = Number(text)
  if (!/^(0|[1-9]\d*)$/.test(text) || !Number.isSafeInteger(n)) throw new Error('no number: ' + text.slice(0, 32))
  return n
}

function hash(line: string): Bytes {
  const out = base64(line)
  if (out.length !== 32) throw new Error('no SHA-256 hash')
  return out
}

interface Receipt {
  leaf: Bytes
  index: number
  path: Bytes[]
  text: string // of the checkpoint, signed
  signatures: string[]
  origin: string
  size: number
  root: Bytes
}

function parse(receipt: string): Receipt {
  const gap = receipt.indexOf('\n\n')
  if (gap < 0) throw new Error('no checkpoint')
  const [header, extra, index, ...path] = receipt.slice(0, gap).split('\n')
  if (header !== 'c2sp.org/tlog-proof@v1') throw new Error('no tlog-proof')
  if (!extra?.startsWith('extra ') || !index?.startsWith('index ')) throw new Error('no leaf or no index')
  const note = receipt.slice(gap + 2)
  const end = note.lastIndexOf('\n\n')
  if (end < 0 || !note.endsWith('\n')) throw new Error('no signature')
  const text = note.slice(0, end + 1)
  const [origin, size, root, ...more] = text.slice(0, -1).split('\n')
  if (!origin || size === undefined || root === undefined || more.length > 0) throw new Error('no checkpoint')
  return {
    leaf: base64(extra.slice(6)),
    index: decimal(index.slice(6)),
    path: path.map(hash),
    text,
    signatures: note.slice(end + 2, -1).split('\n'),
    origin,
    size: decimal(size),
    root: hash(root),
  }
}

/** The kinds of statement, and the member of each that names its subject. */
export const statementKinds: Record<string, 'id' | 'voids'> = { certificate: 'id', report: 'id', void: 'voids' }

/** The leaf that the sealed bytes and their salt make; see trace.Record.Leaf. */
async function leafOf(crypto: Crypto, input: Input): Promise<Bytes> {
  const o = JSON.parse(input.opening) as { v: number; t: string; code: string; subject: string; salt: string; body: string }
  const body = JSON.parse(o.body) as Record<string, unknown>
  let about: string
  if (input.batch === undefined) {
    if (o.t !== 'batch' || o.code !== input.code || body['code'] !== input.code) throw new Error('a record of something else')
    about = `"b":${JSON.stringify(o.code)}`
  } else {
    const subject = Object.hasOwn(statementKinds, o.t) && body[statementKinds[o.t] as string]
    if (!subject || subject !== o.subject || body['batch'] !== input.batch) throw new Error('a statement about something else')
    about = `"i":${JSON.stringify(o.subject)}`
  }
  if (o.v !== 1 && o.v !== 2) throw new Error('a record of another version')
  const digest = await crypto.sha256(join(hexBytes(o.salt), utf8.encode(o.body)))
  return utf8.encode(`{"v":1,"t":${JSON.stringify(o.t)},${about},"h":"${hex(digest)}"}`)
}

interface Personal {
  path: string
  salt: string
  text: string
}

/** The sealed body, with the personal data that it commits to and that were not erased. */
async function disclosed(crypto: Crypto, opening: string): Promise<Record<string, unknown>> {
  const o = JSON.parse(opening) as { body: string; personal?: Personal[] }
  const body = JSON.parse(o.body) as Record<string, unknown>
  const commitments = (body['personal'] ?? {}) as Record<string, string>
  for (const { path, salt, text } of o.personal ?? []) {
    const digest = hex(await crypto.sha256(join(hexBytes(salt), utf8.encode(text))))
    if (!Object.hasOwn(commitments, path) || commitments[path] !== digest) throw new Error(`${path} is not what was committed to`)
    const keys = path.split('.')
    const last = keys.pop() as string
    let at = body
    for (const key of keys) at = (at[key] ??= {}) as Record<string, unknown>
    at[last] = text
  }
  return body
}

/** The root that leaf and path lead to (RFC 9162 §2.1.3.2); null where they cannot. */
async function rootOf(crypto: Crypto, r: Receipt): Promise<Bytes | null> {
  if (r.index >= r.size) return null
  const zero = new Uint8Array([0])
  const one = new Uint8Array([1])
  let node = await crypto.sha256(join(zero, r.leaf))
  let at = r.index
  let last = r.size - 1
  const up = () => {
    at = Math.floor(at / 2)
    last = Math.floor(last / 2)
  }
  for (const sibling of r.path) {
    if (last === 0) return null
    if (at % 2 === 1 || at === last) {
      node = await crypto.sha256(join(one, sibling, node))
      while (at % 2 === 0 && at !== 0) up()
    } else {
      node = await crypto.sha256(join(one, node, sibling))
    }
    up()
  }
  return last === 0 ? node : null
}

const ed25519Key = 1
const cosignatureKey = 4 // c2sp.org/tlog-cosignature

/** Whether the owner of a key, of the type asked for, signed the checkpoint. */
async function signed(crypto: Crypto, r: Receipt, vkey: string, type: number): Promise<boolean> {
  const [, name = '', id, key = ''] = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? []
  const typed = base64(key)
  const own = (await crypto.sha256(join(utf8.encode(name + '\n'), typed))).slice(0, 4)
  if (typed[0] !== type || typed.length !== 33 || hex(own) !== id) throw new Error('no Ed25519 verifier key')
  let found = false
  for (const line of r.signatures) {
    const m = /^— (\S+) (\S+)$/.exec(line)
    if (!m) throw new Error('a line that is no signature')
    const sig = base64(m[2] as string)
    if (m[1] !== name || !equal(sig.slice(0, 4), own)) continue // a witness, or a newer key
    const [signature, message] = type === cosignatureKey ? timed(sig.slice(4), r.text) : [sig.slice(4), utf8.encode(r.text)]
    if (!(await crypto.ed25519(typed.slice(1), signature, message))) return false
    found = true
  }
  return found
}

/** The signature of a cosignature and what it signs: time and checkpoint. */
function timed(sig: Bytes, text: string): [Bytes, Bytes] {
  if (sig.length !== 8 + 64) throw new Error('no cosignature/v1')
  const at = new DataView(sig.buffer, sig.byteOffset).getBigUint64(0)
  return [sig.slice(8), utf8.encode(`cosignature/v1\ntime ${at}\n${text}`)]
}

/**
 * Takes the steps in turn, telling each that holds, and returns the leaf's place
 * in the log and the sealed body. Throws a Failure at the first that does not.
 */
export async function check(crypto: Crypto, input: Input, held: (step: Step) => void = () => {}): Promise<{ index: number; size: number; body: unknown }> {
  const step = async <T>(name: Step, work: () => Promise<T>): Promise<T> => {
    try {
      const out = await work()
      held(name)
      return out
    } catch (e) {
      throw new Failure(name, e instanceof Error ? e.message : String(e))
    }
  }
  let body: unknown
  const r = await step('record', async () => {
    const parsed = parse(input.receipt)
    if (!equal(parsed.leaf, await leafOf(crypto, input))) throw new Error('the receipt is for other bytes')
    body = await disclosed(crypto, input.opening)
    return parsed
  })
  await step('tree', async () => {
    const root = await rootOf(crypto, r)
    if (!root || !equal(root, r.root)) throw new Error('leaf and hashes do not lead to the root')
  })
  await step('signature', async () => {
    if (!input.key.startsWith(r.origin + '+')) throw new Error('the key is of another log')
    if (!(await signed(crypto, r, input.key, ed25519Key))) throw new Error('not signed by the key')
  })
  const quorum = input.quorum ?? 0
  if (quorum > 0) {
    await step('witnesses', async () => {
      let n = 0
      for (const witness of new Set(input.witnesses)) if (await signed(crypto, r, witness, cosignatureKey)) n++
      if (n < quorum) throw new Error(`${n} of ${quorum} cosignatures`)
    })
  }
  return { index: r.index, size: r.size, body }
}
