import { expect, test } from 'vitest'
import { holds, inForce, lines, type Certificate, type Report } from './statements'

const certificate = (id: string, batch: string, gone = false) => ({ id, batch, void: gone ? { cause: 'issuer', reason: 'x', at: '' } : undefined }) as Certificate

test('one certificate of a batch is in force, and it is not a void one', () => {
  const all = [certificate('1', 'a', true), certificate('2', 'a'), certificate('3', 'b', true)]
  expect(inForce(all, 'a')?.id).toBe('2')
  expect(inForce(all, 'b')).toBeUndefined()
})

test('a report that was corrected or taken back holds no more', () => {
  expect(holds({} as Report)).toBe(true)
  expect(holds({ corrected_by: 'x' } as Report)).toBe(false)
  expect(holds({ void: { cause: 'issuer', reason: 'x', at: '' } } as Report)).toBe(false)
})

test('proofs are written one to a line', () => expect(lines(' a \n\n b')).toEqual(['a', 'b']))
