import { defineConfig } from "vite";

/** Where `just dev` has the api; `npx vite` beside it then serves the page with changes shown at once. */
const API = "http://127.0.0.1:8788";

export default defineConfig({
  resolve: { alias: { react: "preact/compat", "react-dom": "preact/compat" } },
  build: {
    outDir: "build/site",
    target: "es2022",
    // The page's policy allows no `data:` address: each file stays a file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: Object.fromEntries(["/paths", "/admin", "/health", "/openapi.json"].map((path) => [path, API])) },
});
