// Builds the faces into dist/ and leaves there what the Go program embeds: every
// text file only in its gzipped form, which is three to four times smaller.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
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

for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(html|js|css|svg)$/.test(entry.name)) continue
  const path = join(entry.parentPath, entry.name)
  await writeFile(path + '.gz', gzipSync(await readFile(path), { level: 9 }))
  await rm(path)
}
