// Fails when a face has grown past what a cheap phone on a bad network can load.
// Sizes are of the gzipped files in dist/, as they go over the wire.
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const manifest = JSON.parse(readFileSync(dist + 'manifest.json', 'utf8'))
const size = (file) => statSync(dist + file + '.gz').size

// What the browser fetches before the entry runs: the entry and its static imports.
function closure(key, seen = new Set()) {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const next of manifest[key].imports ?? []) closure(next, seen)
  return seen
}

function first(key) {
  let js = 0
  const css = new Set()
  for (const k of closure(key)) {
    js += size(manifest[k].file)
    for (const file of manifest[k].css ?? []) css.add(file)
  }
  return { js, css: [...css].reduce((sum, file) => sum + size(file), 0) }
}

const chart = Object.keys(manifest).find((key) => key.endsWith('bureau/echarts.ts'))
const rows = [
  ['field entry JS', first('field/index.html').js, 90],
  ['field CSS', first('field/index.html').css, 15],
  ['manage entry JS', first('manage/index.html').js, 120],
  ['manage CSS', first('manage/index.html').css, 15],
  ['bureau entry JS', first('bureau/index.html').js, 250],
  ['bureau CSS', first('bureau/index.html').css, 15],
  ['bureau chart, lazy', size(manifest[chart].file), 260],
  ['consumer check JS', first('verify/main.ts').js, 10],
]

let over = false
for (const [name, bytes, limit] of rows) {
  const kb = bytes / 1024
  over ||= kb > limit
  console.log(`${name.padEnd(20)} ${kb.toFixed(1).padStart(6)} KB of ${limit} KB${kb > limit ? '  TOO BIG' : ''}`)
}
if (over) process.exit(1)
