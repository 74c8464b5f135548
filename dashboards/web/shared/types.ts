// The answers of /api/v1 as the faces read them.

export interface Text {
  zh: string
  en?: string
}

export interface Quantity {
  id: string // "water.dissolved_oxygen"
  unit: string // UCUM
  symbol: string // as people read it; empty for none
  digits: number // decimals worth showing
  sum: boolean // amounts that add up, such as rain
}

export interface Region {
  code: string // GB/T 2260
  name: Text
}

/** What anybody may know of an operator. */
export interface Operator {
  id: string
  kind?: 'enterprise' | 'cooperative' | 'household' | 'vessel'
  name: Text
  credit_code?: string
  region: string
  place: Text // the city
}

export interface Vocabulary {
  quantities: Quantity[]
  site_kinds: string[]
  regions: Region[]
}

export interface Principal {
  login: string
  name: string
  role: 'administrator' | 'bureau' | 'inspector' | 'manager' | 'farmer' | 'laboratory' | 'device'
  tenant?: string
  region?: string
}

/** QARTOD primary flags: good, not evaluated, suspect, fail, missing. */
export type Flag = 1 | 2 | 3 | 4 | 9

export interface Latest {
  value: number | null // null when missing
  flag: Flag
  time: string // RFC 3339
  device?: string
}

export type LatestByQuantity = Record<string, Latest>

export type DeviceState = 'claimed' | 'active' | 'suspended' | 'retired'

export interface Device {
  id: string
  tenant: string
  model: string
  name: Text
  online: boolean
  status_at?: string
  state: DeviceState
  state_at?: string
  seen?: string // when its last reading came
  created: string
}

/** A new device that belongs to nobody yet. */
export interface Offer {
  device: string
  model: { id: string; name: Text }
  left: number // guesses of its code; 0: it is locked
}

export interface Installation {
  device: string
  site: string
  from: string
}

export interface Site {
  id: string
  tenant: string
  region: string
  kind: string
  name: Text
  town: Text
  latitude: number // WGS 84 degrees of a point inside
  longitude: number
  area?: number
  devices: number
  online: number
  firing: number
  latest: LatestByQuantity
  device_list?: Device[]
}

export interface Model {
  id: string
  name: Text
  commands?: string[]
}

export interface DeviceDetail extends Omit<Device, 'model'> {
  model: Model
  place: { tenant: string; region: string; site: string; kind: string } | null // null before it is installed
  site_name: Text
  interval: number // seconds between reports; 0 when not known
  latest: LatestByQuantity
}

export interface Alert {
  id: string
  rule: string
  title: Text
  severity: 'warning' | 'critical'
  site: string
  device: string
  quantity: string // empty for silence on every channel
  state: 'pending' | 'firing' | 'resolved' | 'inactive' // inactive: it passed before it fired
  value?: number // the reading that led to the state; absent when the alert is about silence
  limit: number // for silence: the seconds allowed
  began: string
  fired?: string
  ended?: string
  reason?: string // why it ended; absent when the condition passed
}

export interface Point {
  t: string
  min: number
  mean: number
  max: number
  n: number
}

/** How many readings of an interval were good; the point there may be missing. */
export interface Quality {
  t: string
  good: number
  total: number
}

export interface Gap {
  from: string
  to: string
}

export interface Series {
  quantity: string
  interval: number // seconds
  points: Point[]
  quality?: Quality[] // of the same intervals; live readings are not counted in
  gaps: Gap[]
}

export interface Command {
  id: string
  name: string
  value: string
  expires: string
  account: string
  state: 'queued' | 'sent' | 'done' | 'failed' | 'expired' | 'cancelled'
  cancelled_by?: string
  error?: string
  created: string
  settled?: string
  tries?: number // how often it was sent
}

export interface Observation {
  device: string
  tenant: string
  site: string
  time: string
  server_time: boolean
  readings: { quantity: string; value: number | null; flag: Flag }[] // value is null when missing
}

export interface Status {
  device: string
  site: string
  online: boolean
  at: string
}
