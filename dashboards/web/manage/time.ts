// Times in form fields are Beijing time, whatever the computer's zone.
import { beijing } from '../shared/format'

/** A time as <input type="datetime-local"> wants it. */
export function toField(at: number): string {
  return new Date(at + beijing).toISOString().slice(0, 16)
}

/** The time of such a field as RFC 3339; empty where the field is. */
export function fromField(value: string): string {
  const at = Date.parse(value + (value.length === 16 ? ':00' : '') + '+08:00')
  return Number.isNaN(at) ? '' : new Date(at).toISOString()
}
