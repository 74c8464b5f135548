import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: here('.'),
  base: '/',
  publicDir: false,
  plugins: [vue()],
  define: { __VUE_OPTIONS_API__: 'false' },
  build: {
    outDir: 'dist',
    // scripts/build.mjs empties the folder itself: dist/.keep must survive.
    emptyOutDir: false,
    manifest: 'manifest.json',
    // The pages are served under a policy without inline code or data: scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        bureau: here('bureau/index.html'),
        field: here('field/index.html'),
        manage: here('manage/index.html'),
        verify: here('verify/main.ts'),
      },
    },
  },
  server: { fs: { allow: [here('../..')] } },
  test: { environment: 'happy-dom', include: ['**/*.test.ts'] },
})
