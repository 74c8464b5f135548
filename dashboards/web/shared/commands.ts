// How far a command has come, in words.
import { clock, moment } from './format'
import { has, t } from './i18n'
import type { Command } from './types'

/** What a machine is called. */
export const commandTitle = (name: string) => (has(`quantity.device.${name}`) ? t(`quantity.device.${name}`) : name)

/** What a command asks for: "on" in words, anything else as it is. */
export const commandValue = (value: string) => (value === 'on' || value === 'off' ? t(`web.${value}`) : value)

/** A command's state as a mark. */
export function commandOutcome(c: Command, now: number) {
  const value = commandValue(c.value)
  const time = clock(Date.parse(c.settled ?? c.created), now)
  if (c.state === 'cancelled') {
    return { icon: 'missing', tone: 'quiet', words: t('web.command.cancelled', { value, who: c.cancelled_by ?? '', time }) } as const
  }
  const words = t(`command_state.${c.state}`, { value, time })
  switch (c.state) {
    case 'done':
      return { icon: 'good', tone: 'good', words } as const
    case 'queued':
    case 'sent':
      return { icon: 'clock', tone: 'quiet', words } as const
    default:
      return { icon: 'bad', tone: 'bad', words } as const
  }
}

/** Who asked, when, how often it was sent and until when it is good. */
export function commandFacts(c: Command): string {
  return [
    c.account,
    moment(Date.parse(c.created)),
    c.tries ? t('web.command.tries', { n: c.tries }) : '',
    c.state === 'queued' || c.state === 'sent' ? t('web.command.until', { time: moment(Date.parse(c.expires)) }) : '',
    c.state === 'failed' ? (c.error ?? '') : '',
  ]
    .filter(Boolean)
    .join(' · ')
}
