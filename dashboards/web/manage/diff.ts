// What changed between two texts, line by line.

export interface DiffLine {
  kind: 'same' | 'gone' | 'new'
  text: string
}

/** The shortest way from one text to the other, by the longest common subsequence of
 *  their lines. Mappings are small; beyond a few thousand lines it is not meant. */
export function diff(before: string, after: string): DiffLine[] {
  const a = lines(before)
  const b = lines(after)
  // common[i][j] is how many lines a from i and b from j have in common.
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1))
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i]![j] = a[i] === b[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!)
    }
  }
  const out: DiffLine[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: 'same', text: a[i++]! })
      j++
    } else if (j >= b.length || (i < a.length && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      out.push({ kind: 'gone', text: a[i++]! })
    } else {
      out.push({ kind: 'new', text: b[j++]! })
    }
  }
  return out
}

const lines = (text: string) => (text === '' ? [] : text.replace(/\r\n?/g, '\n').replace(/\n$/, '').split('\n'))
