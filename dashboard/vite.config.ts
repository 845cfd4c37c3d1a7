/**
 * How the dashboard is built: one small entry, one chunk a page, everything named by its hash, nothing fetched from elsewhere.
 *
 * The page's policy forbids inline scripts and data URLs of scripts, so nothing is inlined and no polyfill is added.
 */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  css: { modules: { localsConvention: 'camelCaseOnly' }, transformer: 'lightningcss' },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: ['chrome120', 'firefox121', 'safari17.4'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1_000,
  },
  // `vite` by hand beside a running server: the page from here, everything under /v1 from there.
  server: { proxy: { '/v1': { target: process.env.SOLYX_URL ?? 'http://127.0.0.1:8080', ws: true } } },
});
