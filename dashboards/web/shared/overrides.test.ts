import { expect, test } from 'vitest'
import { final, type Override, refusalKey, stateOf } from './overrides'

const asked: Override = { id: '1', tenant: 't', site: 's', acts: ['catch'], refusals: [], reason: 'x', account: 'a', asked: '2026-05-20T00:00:00Z' }
const decision = { granted: true, reason: 'x', region: '450700', decided: '2026-05-20T01:00:00Z', until: '2026-05-21T00:00:00Z' }
const noon = Date.parse('2026-05-20T12:00:00Z')

test('an override is open, granted, ended or declined', () => {
  expect(stateOf(asked, noon)).toBe('open')
  expect(stateOf({ ...asked, decision }, noon)).toBe('granted')
  expect(stateOf({ ...asked, decision }, Date.parse(decision.until))).toBe('ended')
  expect(stateOf({ ...asked, decision: { ...decision, granted: false, until: undefined } }, noon)).toBe('declined')
})

test('a refusal is named as the server names it', () => {
  expect(refusalKey({ gate: 'interval', operation: 'op', product: 'p' })).toBe('interval/op/p')
  expect(refusalKey({ gate: 'licence', number: '1' })).toBe('licence/1/')
  expect(refusalKey({ gate: 'no_quarantine' })).toBe('no_quarantine//')
})

test('nobody lifts a ban', () => {
  expect(final({ gate: 'banned' })).toBe(true)
  expect(final({ gate: 'interval' })).toBe(false)
})
