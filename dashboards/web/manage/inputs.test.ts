import { expect, test } from 'vitest'
import { expiryTone } from './inputs'

test('a lot that ends soon is told apart from one that has ended', () => {
  const now = Date.parse('2026-05-20T00:00:00Z')
  expect(expiryTone('2026-05-20T00:00:00Z', now)).toBe('bad')
  expect(expiryTone('2026-06-18T00:00:00Z', now)).toBe('warn')
  expect(expiryTone('2026-06-20T00:00:00Z', now)).toBe('quiet')
})
