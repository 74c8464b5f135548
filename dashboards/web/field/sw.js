// The page without a network. A version of the page is kept whole or not at all, and a
// newer one takes its place only when the person says so or has closed the page: never
// under a form that is half filled in. What the API says is not kept here: the page
// keeps what it was told last, and says how old that is. scripts/build.mjs fills in
// version and files.
const version = '__VERSION__'
const files = ['__FILES__']

const name = 'tianhai-field-' + version
const shell = '/field/'

// The same script stands by for /d/, where it has nothing to keep or to clear away.
const main = new URL(registration.scope).pathname === shell

addEventListener('install', (e) => main && e.waitUntil(keep()))
addEventListener('activate', (e) => main && e.waitUntil(tidy()))
addEventListener('message', (e) => e.data === 'update' && skipWaiting())

async function keep() {
  const cache = await caches.open(name)
  // What has a hash in its name may come from the browser's own cache; the page may not.
  await cache.addAll(files.map((path) => new Request(path, { cache: path.startsWith('/assets/') ? 'default' : 'reload' })))
}

async function tidy() {
  for (const other of await caches.keys()) {
    if (other.startsWith('tianhai-field-') && other !== name) await caches.delete(other)
  }
  await clients.claim()
}

addEventListener('fetch', (e) => {
  const url = new URL(e.request.url)
  if (e.request.method !== 'GET' || url.origin !== location.origin) return
  if (files.includes(url.pathname)) e.respondWith(kept(url.pathname, e.request))
  else if (e.request.mode === 'navigate' && url.pathname.startsWith('/d/')) e.respondWith(device(e.request, url))
})

async function kept(path, request) {
  const cache = await caches.open(name)
  return (await cache.match(path)) ?? fetch(request)
}

// The code on a device leads through the server to the page, and without it there too.
async function device(request, url) {
  try {
    return await fetch(request)
  } catch {
    return Response.redirect(shell + '#' + url.pathname, 302)
  }
}
