// Whether a Worker that was deployed is well: it is live, it answers, and nothing became critical that was not before.
import { until } from "../until.mjs";

/** A new version is everywhere within seconds; a first one needs a certificate and a name in the DNS. */
const PATIENCE_MS = 90_000;
const FIRST_PATIENCE_MS = 300_000;
const REQUEST_MS = 15_000;

/**
 * Checks over HTTP. `addresses` are base URLs by Worker; `token` is the api's ADMIN_TOKEN, if it is given; `headers` go
 * with every request (a service token of Cloudflare Access).
 */
export function healthChecks({ account, addresses, token, headers = {}, ask = fetch, patience = PATIENCE_MS, firstPatience = FIRST_PATIENCE_MS }) {
  const request = (worker, path, init = {}) =>
    ask(new URL(path, addresses[worker]), { redirect: "manual", signal: AbortSignal.timeout(REQUEST_MS), ...init, headers: { ...headers, ...init.headers } });

  /** Waits until an answer is as expected; what came last is in the error. */
  async function answers(worker, path, expected, init, first) {
    let last = "nothing";
    const good = async () => {
      try {
        const response = await request(worker, path, init);
        const location = response.headers.get("location") ?? "";
        last = `${response.status}${/cloudflareaccess\.com/.test(location) ? ", a login of Cloudflare Access: set CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET" : ""}`;
        if (!expected.includes(response.status)) {
          last += ` ${(await response.text()).slice(0, 300)}`;
          return false;
        }
        return response;
      } catch (error) {
        last = error.cause?.message ?? error.message;
        return false;
      }
    };
    const what = `${init?.method ?? "GET"} ${path} of ${addresses[worker]} answering ${expected.join(" or ")}`;
    return until(good, { within: first ? firstPatience : patience, what }).catch((error) => {
      throw new Error(`${error.message}; it answered ${last}`, { cause: error });
    });
  }

  /** Names of the checks that are critical, or undefined where nobody can be asked. */
  async function criticalNow(first = false) {
    if (!addresses.api || !token) return undefined;
    const response = await answers("api", "/admin/health", [200], { headers: { authorization: `Bearer ${token}` } }, first);
    const { checks } = await response.json();
    return new Map(checks.filter(({ status }) => status === "critical").map(({ name, detail }) => [name, detail]));
  }

  let criticalBefore = new Map();
  return {
    /** Remembers what is critical already: that is nobody's fault here. */
    before: async () => {
      criticalBefore = (await criticalNow().catch(() => undefined)) ?? new Map();
    },
    /**
     * Fails unless `version` of `worker` is live and well. Resolves to what was looked at.
     * `apiThere`: an api is deployed, so it can be asked about the others.
     */
    check: async (worker, { script, version, first, apiThere }) => {
      await until(async () => {
        const live = await account.live(script);
        return live?.version === version && live.whole;
      }, { within: patience, what: `version ${version} of ${script} live for all requests` });
      const seen = ["live"];
      if (worker === "api" && addresses.api) {
        await answers("api", "/health", [200], {}, first);
        seen.push("GET /health 200");
      }
      // 401: it answers and has its secrets. 429: as well, and somebody tries tokens.
      if (worker === "producer" && addresses.producer) {
        await answers("producer", "/collect", [401, 429], { method: "POST", body: "{}" }, first);
        seen.push("POST /collect refused without a token");
      }
      const critical = apiThere ? await criticalNow(first) : undefined;
      if (critical) {
        const worse = [...critical].filter(([name]) => !criticalBefore.has(name));
        if (worse.length) throw new Error(`critical since the deployment: ${worse.map(([name, detail]) => `${name} (${detail})`).join("; ")}`);
        seen.push("GET /admin/health no worse");
      }
      if (["api", "producer"].includes(worker) && !addresses[worker]) seen.push(`not asked: no address is known, give --${worker}-url`);
      return seen.join(", ");
    },
  };
}
