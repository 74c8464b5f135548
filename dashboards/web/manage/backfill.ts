/** What a column may be beside one of the device's channels. */
export const uses = ['time', 'date', 'device', '-'] as const

/** What a person said of columns, as the API wants it. */
export function columnParameters(chosen: Record<string, string>): string[] {
  return Object.entries(chosen)
    .filter(([header, use]) => header && use)
    .map(([header, use]) => `${header}=${use}`)
}
