// Builds the faces into dist/ and leaves there what the Go program embeds: every
// text file only in its gzipped form, which is three to four times smaller.
import { createHash } from 'node:crypto'
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')

for (const name of await readdir(dist)) {
  if (name !== '.keep') await rm(join(dist, name), { recursive: true })
}

await build({ root, configFile: join(root, 'vite.config.ts') })

await keepField()

for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(html|js|css|svg|webmanifest)$/.test(entry.name)) continue
  const path = join(entry.parentPath, entry.name)
  await writeFile(path + '.gz', gzipSync(await readFile(path), { level: 9 }))
  await rm(path)
}

// What belongs to the field page alone, and a service worker that knows every file
// the page may ask for, whatever language it is in.
async function keepField() {
  for (const name of await readdir(join(root, 'field'))) {
    if (/\.(png|webmanifest)$/.test(name)) await copyFile(join(root, 'field', name), join(dist, 'field', name))
  }
  const manifest = JSON.parse(await readFile(join(dist, 'manifest.json'), 'utf8'))
  const files = new Set(['/field/', '/field/manifest.webmanifest', '/field/icon-192.png'])
  const seen = new Set()
  const add = (key) => {
    if (seen.has(key)) return
    seen.add(key)
    const chunk = manifest[key]
    for (const file of [chunk.file, ...(chunk.css ?? []), ...(chunk.assets ?? [])]) if (!file.endsWith('.html')) files.add('/' + file)
    for (const next of [...(chunk.imports ?? []), ...(chunk.dynamicImports ?? [])]) add(next)
  }
  add('field/index.html')
  const version = createHash('sha256')
  for (const path of files) version.update(path).update(await readFile(join(dist, path.endsWith('/') ? path + 'index.html' : path)))
  const source = await readFile(join(root, 'field/sw.js'), 'utf8')
  const list = [...files].map((path) => JSON.stringify(path)).join(', ')
  await writeFile(join(dist, 'field/sw.js'), source.replace('__VERSION__', version.digest('hex').slice(0, 16)).replace("'__FILES__'", list))
}
