// Lists that go out as files, and those that come in as one.

/** What the API lists for whoever manages a farm, by the path of each. */
export function exported(tenant: string | undefined): { name: string; path: string }[] {
  const own = tenant ? [{ name: 'licences', path: `/tenants/${tenant}/licences` }, { name: 'lots', path: `/tenants/${tenant}/lots` }] : []
  return [
    { name: 'sites', path: '/sites' },
    { name: 'devices', path: '/devices' },
    ...own,
    ...['batches', 'movements', 'certificates', 'reports', 'overrides', 'alerts', 'products', 'inputs', 'bans', 'models'].map((name) => ({ name, path: `/${name}` })),
    { name: 'late_uses', path: '/late-uses' },
  ]
}

/** Columns of a file that comes in, and a row to go by. */
export const imported: Record<string, { columns: string[]; row: string[] }> = {
  sites: {
    columns: ['id', 'kind', 'name', 'name.en', 'town', 'latitude', 'longitude', 'area'],
    row: ['pond-12', 'pond', '十二号塘', 'Pond 12', '光坡镇', '21.68', '108.40', '5300'],
  },
  licences: {
    columns: ['kind', 'number', 'issuer', 'issued', 'expires', 'site'],
    row: ['aquaculture', '桂(2026)第001号', '防城港市农业农村局', '2026-01-01', '2031-01-01', ''],
  },
  batches: {
    columns: ['site', 'product', 'lot', 'quantity', 'unit', 'began', 'harvest'],
    row: ['pond-12', 'shrimp', '2026-07', '1200', 'kg', '2026-03-01', '2026-07-01 06:00'],
  },
  operations: {
    columns: ['site', 'kind', 'at', 'items.product', 'items.maker', 'items.quantity', 'items.lot'],
    row: ['pond-12', 'feed', '2026-06-30 08:00', '对虾配合饲料', '某饲料厂', '25 kg', '—'],
  },
}

export interface Outcome {
  dry_run: boolean
  count: number
  done: number
  created: number
  existing: number
  failed: number
  faults: { line?: number; field: string; reason: string }[]
}

/** The last whole line of what has come so far, as what it says; undefined before there is one. */
export function latest(text: string): Outcome | undefined {
  const end = text.lastIndexOf('\n')
  if (end < 0) return undefined
  return JSON.parse(text.slice(text.lastIndexOf('\n', end - 1) + 1, end)) as Outcome
}
