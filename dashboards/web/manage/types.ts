// Answers of /api/v1 that only this face reads.
import type { Device, Text } from '../shared/types'

export type { Fault } from '../shared/api'

export interface Placed extends Device {
  site?: string // "" before it is placed
  site_name?: Text
  region?: string
}

/** A device that nobody owns. */
export interface Issued {
  id: string
  model: string
  name: Text
  created: string
  account: string
  locked: boolean
  state: 'issued'
}

export interface DevicesPage {
  devices: (Placed | Issued)[]
  next: string // the place after which the next page begins; empty: there is none
}

export interface Channel {
  key: string
  quantity: string
  slope?: number
  offset?: number
  limits?: { min: number; max: number }
}

export interface FullModel {
  id: string
  name: Text
  format: string
  interval: number // seconds; 0: not known
  channels: Channel[] | null
  commands?: string[]
  devices?: number
}

export interface ModelChange {
  at: string
  account: string
  model: FullModel
}

export interface DeviceEvent {
  device: string
  at: string
  kind: string
  account?: string
  reason?: string
}

export interface Calibration {
  device: string
  channel: string
  slope: number
  offset: number
  from: string
  recorded: string
  account: string
  note?: string
}

export interface Frame {
  seq: number
  at: string
  device: string
  reason: string
  received: string
  content_type: string
  payload_base64: string
}

export interface Label {
  id: string
  model: string
  secret: string
  claim_code?: string
}

