// Who may have whom, for forms that offer nothing that would be refused; the API decides.
import type { Principal } from '../types'

export type Role = Exclude<Principal['role'], 'device'>

export interface Person {
  login: string
  name: string
  role: Role
  tenant?: string
  region?: string
  state: 'active' | 'invited' | 'disabled'
  created: string
}

/** A code that is shown once; its person makes a password of it. */
export interface Invitation {
  code: string
  expires: string
}

/** The roles that somebody gives to others; none where somebody manages no people. */
export function given(by: Principal | null | undefined): Role[] {
  switch (by?.role) {
    case 'administrator':
      return ['farmer', 'manager', 'laboratory', 'inspector', 'bureau', 'administrator']
    case 'manager':
      return ['farmer', 'manager']
    case 'bureau':
      return ['inspector', 'bureau']
    default:
      return []
  }
}

/** What a role belongs to. */
export function belongs(role: Role): 'tenant' | 'region' | undefined {
  if (role === 'administrator') return undefined
  return role === 'bureau' || role === 'inspector' ? 'region' : 'tenant'
}

/** A login made of a name, where its letters are Latin; "" for others, which are typed. */
export function loginOf(name: string): string {
  return name
    .normalize('NFD')
    .toLowerCase()
    .replace(/đ/g, 'd')
    .replace(/[\u0300-\u036f]/g, '')
    .trim()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
}

/** Where a person makes a password of a code, on the face that is that person's. */
export function welcome(p: Person): string {
  const face = p.role === 'farmer' ? 'field' : p.role === 'bureau' || p.role === 'inspector' ? 'bureau' : 'manage'
  return `/${face}/#/welcome?login=${encodeURIComponent(p.login)}`
}
