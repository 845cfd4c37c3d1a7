/**
 * How the dashboard is built: one small entry, one chunk a page, everything named by its hash, nothing fetched from elsewhere.
 *
 * The page's policy forbids inline scripts and data URLs of scripts, so nothing is inlined and no polyfill is added.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const shortName = (name: string): string => (name.startsWith('shared') ? 'shared' : '[name]');

/**
 * Says of the scripts that most of their functions are called as soon as they are loaded. Chromium then compiles them in the
 * background, while they arrive, instead of one by one on the main thread, which on a slow processor is a fifth of the start; to
 * others it is a comment. Not for what is large and of which little is used at once.
 */
const compiledAhead = (): Plugin => ({
  name: 'compiled-ahead',
  // In the files as they were written: it must be their first line, and Vite itself still puts one before all others.
  async writeBundle({ dir }, bundle) {
    for (const chunk of Object.values(bundle)) {
      if (chunk.type !== 'chunk' || lazilyCompiled.test(chunk.name)) continue;
      const file = join(dir!, chunk.fileName);
      await writeFile(file, `//# allFunctionsCalledOnLoad\n${await readFile(file, 'utf8')}`);
    }
  },
});
const lazilyCompiled = /^(browser|chart|terminal|example-files|site-map)$/;

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), compiledAhead()],
  css: { modules: { localsConvention: 'camelCaseOnly' }, transformer: 'lightningcss' },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: ['chrome120', 'firefox121', 'safari17.4'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1_000,
    // Few files: each costs a request, almost a kilobyte of headers and, on a slow processor, time. What every page needs is
    // one; what several pages share is grouped by the pages that need it, small groups with the nearest of them.
    rolldownOptions: {
      output: {
        // Groups are named after all that share them; a short name is one that a person can read.
        chunkFileNames: ({ name }) => `assets/${shortName(name)}-[hash].js`,
        assetFileNames: ({ names }) => `assets/${shortName(names[0] ?? '')}-[hash][extname]`,
        codeSplitting: {
          groups: [
            { name: 'base', tags: ['$initial'], priority: 5 },
            // The overview, where most begin, and its parts, which are those of most pages.
            { name: 'base', test: /[\\/]pages[\\/]overview[\\/]/, priority: 4 },
            { name: 'base', test: /[\\/]ui[\\/](panel|problem-text|choice|time|simple-table)/, priority: 4 },
            { name: 'chart', test: /[\\/](uplot|ui)[\\/](dist|chart|curves|telemetry-charts)/, priority: 3 },
            { name: 'spec', test: /[\\/]submit[\\/]spec[\\/]/, minShareCount: 2, priority: 2 },
            { name: 'shared', minShareCount: 2, entriesAware: true, entriesAwareMergeThreshold: 15_000, priority: 1 },
          ],
        },
      },
    },
  },
  // `vite` by hand beside a running server: the page from here, everything under /v1 from there.
  server: { proxy: { '/v1': { target: process.env.SOLYX_URL ?? 'http://127.0.0.1:8080', ws: true } } },
});
