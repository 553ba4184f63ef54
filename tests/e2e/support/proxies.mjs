// Producers with other settings, side by side in one runtime, in front of origins that tests control.
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { changed, real } from "./configs.mjs";

/** Not bundled, so that what it throws reaches the producer as it does on the platform. */
export const testOrigin = {
  config: { name: "pathstats-test-origin", main: fileURLToPath(new URL("test-origin.mjs", import.meta.url)), no_bundle: true, compatibility_date: "2026-06-01" },
};

/** The producer as configured, in front of the test origin. */
export const plainProducer = { ...real("producer"), bindingOverrides: { ORIGIN: testOrigin.config.name } };

const nameOf = (ending) => `pathstats-producer-${ending}`;

/** Another producer in front of the test origin: `vars` are added to its variables, `rest` replaces other parts of its config. */
export const producer = (ending, { vars, ...rest } = {}) =>
  changed("producer", (config) => ({
    name: nameOf(ending),
    services: [{ binding: "ORIGIN", service: testOrigin.config.name }],
    vars: { ...config.vars, ...vars },
    ...rest,
  }));

/** Sends a request to the producer of this ending, or to the plain one; redirects are not followed. */
export const ask = (product, ending, path, init) =>
  (ending ? product.script(nameOf(ending)) : product.worker("producer")).fetch(path, { redirect: "manual", ...init });

/** A web server on this machine; `requests` keeps what it was asked, bodies included. */
export async function startServer(answer) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    answer(request, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    requests,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port of this machine where nothing listens. */
export async function closedPort() {
  const server = await startServer(() => {});
  await server.stop();
  return server.port;
}
