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
  next?: string // where the next page begins; absent on the last
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


export interface MappingVersion {
  name: string
  version: number // from 1
  doc: string // empty when deleted
  deleted?: boolean
  account: string
  created: string
}

/** What would come of a sample. */
export interface Outcome {
  readings: {
    channel: string
    time: string
    server_time?: boolean // the sample has no time, or one that is not believed
    number?: number // as mapped
    number_unit?: string
    missing?: boolean
    quantity?: string // without a model, or where there is a problem, empty
    value?: number // of the quantity, as it would be stored
    unit?: string
    problem?: string // why it would go to quarantine
  }[]
  fault?: { in: 'doc' | 'sample'; line?: number; column?: number; byte?: number; key?: string; member?: string; message: string }
}

export interface JobProblem {
  line?: number // of the file
  column?: string
  device?: string
  at?: string
  reason: string
}

/** One piece of work on old data. Exactly one of backfill and replay is there. */
export interface Job {
  id: string
  kind: 'backfill' | 'replay'
  tenant?: string
  account: string // "system" where nobody asked
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'
  backfill?: { file: string; device?: string }
  replay?: { devices?: string[]; from?: string; to?: string; quarantine_only: boolean }
  progress: {
    done: number
    total: number // 0 before it is known
    stored: number
    refused: number
    readings: number
    released: number
    ignored?: string[]
    problems?: JobProblem[]
  }
  error?: string
  created: string
}

export interface BackfillPreview {
  format: string
  encoding?: string
  sheet?: string
  sheets?: string[]
  columns: { name: string; use: 'time' | 'date' | 'device' | 'channel' | '-'; channel?: string; quantity?: string; unit?: string }[]
  devices: string[]
  rows: number
  usable: number
  refused: number
  from?: string
  to?: string
  first: { line: number; device: string; site: string; time: string; values: { quantity: string; value: number; flag: 1 | 2 | 3 | 4 | 9 }[] }[]
  problems: JobProblem[]
}

/** For how many days after they were measured readings are kept; 0 is for ever. */
export interface Retention {
  tenant: string // empty: every operator without a rule of its own
  medium: string // empty: every medium without a rule of its own
  keep_raw_days: number
  keep_hour_days: number
  keep_day_days: number
}

export interface RetentionRule extends Retention {
  clear: boolean
  at: string
  effective: string
  account: string
  pending?: boolean
}

/** What of an operator's medium is to be deleted. */
export interface Purge {
  tenant: string
  medium: string
  what: 'raw' | 'hour' | 'day'
  from: string
  to: string
  device_days: number
}
