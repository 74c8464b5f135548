// The pages of this face, and who finds them in the menu. That others cannot do what
// a page offers is the API's matter: the menu only spares them a refusal.
import { defineAsyncComponent, type Component } from 'vue'
import type { Principal } from '../shared/types'
import DeviceList from './DeviceList.vue'

export interface Page {
  path: string // the first part of the address
  title: string // key of its name
  group: 'devices' | 'farm' | 'data' | 'system'
  administrator: boolean // whether only administrators find it
  list: Component
  one?: Component // with the second part of the address as its id
}

const lazy = (load: () => Promise<{ default: Component }>) => defineAsyncComponent(load)

export const pages: Page[] = [
  { path: 'devices', title: 'manage.devices', group: 'devices', administrator: false, list: DeviceList, one: lazy(() => import('./DevicePage.vue')) },
  { path: 'issue', title: 'manage.issue', group: 'devices', administrator: true, list: lazy(() => import('./IssuePage.vue')) },
  { path: 'import', title: 'manage.import', group: 'devices', administrator: false, list: lazy(() => import('./ImportPage.vue')) },
  { path: 'models', title: 'manage.models', group: 'devices', administrator: true, list: lazy(() => import('./ModelList.vue')), one: lazy(() => import('./ModelPage.vue')) },
  { path: 'batches', title: 'manage.batches', group: 'farm', administrator: false, list: lazy(() => import('./BatchList.vue')), one: lazy(() => import('./BatchPage.vue')) },
  { path: 'shipments', title: 'manage.shipments', group: 'farm', administrator: false, list: lazy(() => import('./ShipmentList.vue')), one: lazy(() => import('./ShipmentPage.vue')) },
  { path: 'certificates', title: 'manage.certificates', group: 'farm', administrator: false, list: lazy(() => import('./CertificateList.vue')), one: lazy(() => import('./CertificatePage.vue')) },
  { path: 'labels', title: 'manage.labels.title', group: 'farm', administrator: false, list: lazy(() => import('./LabelsPage.vue')) },
  { path: 'rolls', title: 'manage.rolls', group: 'farm', administrator: false, list: lazy(() => import('./RollList.vue')), one: lazy(() => import('./RollPage.vue')) },
  { path: 'links', title: 'manage.links', group: 'farm', administrator: false, list: lazy(() => import('./LinkList.vue')), one: lazy(() => import('./LinkPage.vue')) },
  { path: 'stock', title: 'manage.inputs.stock', group: 'farm', administrator: false, list: lazy(() => import('./StockPage.vue')), one: lazy(() => import('./LotPage.vue')) },
  { path: 'inputs', title: 'manage.inputs', group: 'farm', administrator: false, list: lazy(() => import('./InputsPage.vue')) },
  { path: 'overrides', title: 'manage.overrides', group: 'farm', administrator: false, list: lazy(() => import('./OverridesPage.vue')) },
  { path: 'recalls', title: 'recall.title', group: 'farm', administrator: false, list: lazy(() => import('../shared/recall/RecallList.vue')), one: lazy(() => import('../shared/recall/RecallOne.vue')) },
  { path: 'consumers', title: 'attention.title', group: 'farm', administrator: false, list: lazy(() => import('../shared/consumers/ConsumersPage.vue')) },
  { path: 'people', title: 'people.title', group: 'farm', administrator: false, list: lazy(() => import('../shared/people/PeoplePage.vue')) },
  { path: 'programs', title: 'manage.programs', group: 'data', administrator: false, list: lazy(() => import('./ProgramList.vue')) },
  { path: 'packages', title: 'package.title', group: 'data', administrator: false, list: lazy(() => import('../shared/packages/PackagesPage.vue')) },
  { path: 'lists', title: 'manage.lists', group: 'data', administrator: false, list: lazy(() => import('./ListsPage.vue')) },
  { path: 'mappings', title: 'manage.mappings', group: 'data', administrator: true, list: lazy(() => import('./MappingList.vue')), one: lazy(() => import('./MappingPage.vue')) },
  { path: 'history', title: 'manage.history', group: 'data', administrator: false, list: lazy(() => import('./HistoryPage.vue')) },
  { path: 'quarantine', title: 'manage.quarantine', group: 'data', administrator: true, list: lazy(() => import('./QuarantinePage.vue')) },
  { path: 'retention', title: 'manage.retention', group: 'data', administrator: true, list: lazy(() => import('./RetentionPage.vue')) },
  { path: 'server', title: 'manage.server', group: 'system', administrator: true, list: lazy(() => import('./ServerPage.vue')) },
]

const received: Page = { path: 'devices', title: 'manage.received', group: 'farm', administrator: false, list: lazy(() => import('./SampleList.vue')) }

/** The pages that a person finds in the menu; a laboratory's is the first and only one. */
export function pagesFor(p: Principal): Page[] {
  if (p.role === 'laboratory') return [received]
  if (p.role === 'administrator') return pages
  return p.role === 'manager' ? pages.filter((page) => !page.administrator) : []
}
