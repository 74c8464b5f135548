import { expect, test } from 'vitest'
import type { Principal } from '../types'
import { belongs, given, loginOf } from './people'

const as = (role: Principal['role']): Principal => ({ login: 'x', name: 'X', role })

test('nobody is offered a role above the own', () => {
  expect(given(as('manager'))).toEqual(['farmer', 'manager'])
  expect(given(as('bureau'))).toEqual(['inspector', 'bureau'])
  for (const role of ['farmer', 'inspector', 'laboratory', 'device'] as const) expect(given(as(role))).toEqual([])
  expect(given(null)).toEqual([])
})

test('every role belongs to an operator, a region or neither', () => {
  expect(belongs('inspector')).toBe('region')
  expect(belongs('laboratory')).toBe('tenant')
  expect(belongs('administrator')).toBe(undefined)
})

test('a Latin name makes a login', () => {
  expect(loginOf(' Nguyễn Văn Đạt ')).toBe('nguyen-van-dat')
  expect(loginOf('韦小妹')).toBe('')
})
