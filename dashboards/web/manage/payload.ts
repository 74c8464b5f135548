// Bytes as people can read them.

const utf8 = new TextDecoder('utf-8', { fatal: true })

export interface Shown {
  kind: 'json' | 'text' | 'hex' | 'empty'
  text: string
}

/** JSON set out in lines, other text as it is, anything else in hexadecimal. */
export function show(base64: string): Shown {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
  if (bytes.length === 0) return { kind: 'empty', text: '' }
  try {
    const text = utf8.decode(bytes)
    // Control characters other than tab and line ends: no text that anybody wrote.
    if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text)) return { kind: 'hex', text: hex(bytes) }
    return pretty(text) ?? { kind: 'text', text }
  } catch {
    return { kind: 'hex', text: hex(bytes) }
  }
}

function pretty(text: string): Shown | undefined {
  try {
    return { kind: 'json', text: JSON.stringify(JSON.parse(text), null, 2) }
  } catch {
    return undefined
  }
}

/** Sixteen bytes a line, each line with its place, as data sheets print frames. */
function hex(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)].map((b) => b.toString(16).padStart(2, '0'))
    lines.push(`${at.toString(16).padStart(4, '0')}  ${row.join(' ')}`)
  }
  return lines.join('\n')
}
