import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** `vite build dashboards/web` writes dist/, which the hub serves. `BAC_URL` is the hub for `vite dev`. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  plugins: [react()],
  build: { outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0, target: 'es2023' },
  server: { proxy: { '/api': process.env.BAC_URL ?? 'http://127.0.0.1:7400' } },
});
