// A receiver of notifications: an HTTP server that records what it got, and answers as it is told.
import { createHmac } from "node:crypto";
import { createServer } from "node:http";

/** Starts one. `answer` may be changed: a status and a text, or null for no answer at all. */
export async function startReceiver() {
  const got = [];
  const receiver = { got, answer: { status: 200, text: "ok" } };
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      got.push({ path: request.url, method: request.method, headers: request.headers, body, json: JSON.parse(body) });
      if (receiver.answer) response.writeHead(receiver.answer.status, receiver.answer.headers).end(receiver.answer.text);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  receiver.origin = `http://127.0.0.1:${server.address().port}`;
  /** The notifications of a rule, as `firing warning`, in order. */
  receiver.of = (rule) => got.filter(({ json }) => json.rule === rule).map(({ json }) => `${json.state} ${json.level}`);
  receiver.stop = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return receiver;
}

/** The signature that a receiver computes: docs/alerts.md shows these lines. */
export function signatureOf(secret, { headers, body }) {
  return `v1=${createHmac("sha256", secret).update(`${headers["x-pathstats-timestamp"]}.${body}`).digest("hex")}`;
}
