// Files for spreadsheets.

/** Rows as RFC 4180 text. The mark at the start tells spreadsheets that it is UTF-8. */
export function csvText(rows: string[][]): string {
  return '\ufeff' + rows.map((row) => row.map(cell).join(',') + '\r\n').join('')
}

/** Has the browser save rows as a file. */
export function saveCSV(name: string, rows: string[][]): void {
  saveFile(name, 'text/csv;charset=utf-8', csvText(rows))
}

/** Has the browser save a text as a file. */
export function saveFile(name: string, type: string, text: string): void {
  const a = document.createElement('a')
  a.href = URL.createObjectURL(new Blob([text], { type }))
  a.download = name
  a.click()
  setTimeout(() => URL.revokeObjectURL(a.href), 10_000)
}

/** A spreadsheet takes what begins like a formula for one, whoever wrote it: an apostrophe keeps it text. */
function cell(field: string): string {
  const text = /^[=+@\t]/.test(field) ? `'${field}` : field
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
