// What to do first: nothing was counted yet.
import { useMemo } from "preact/hooks";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { CopyButton } from "../../ui/copy.tsx";

/** Where `just dev` has the producer; a deployed one has a name that this page does not know. */
function producerOf({ hostname, port, protocol }: Location): string {
  return port === "8788" ? `${protocol}//${hostname}:8787` : "https://YOUR-PRODUCER";
}

/** A command that sends one event, of now. */
export function collectCommand(producer: string, now: number, hash: string): string {
  const event = { version: 1, id: `${now}-${hash}`, timestamp: now, path: "/hello", method: "GET", status: 200, responseTime: 12.5 };
  return `curl "${producer}/collect" \\\n  -H "authorization: Bearer $INGEST_TOKEN" \\\n  -H "content-type: application/json" \\\n  -d '${JSON.stringify(event)}'`;
}

export function FirstSteps() {
  const { t } = useSettings();
  const producer = producerOf(location);
  const [collect, proxy] = useMemo(() => {
    const hash = crypto.getRandomValues(new Uint32Array(1))[0]?.toString(16).padStart(8, "0") ?? "00000000";
    return [collectCommand(producer, Date.now(), hash), `curl "${producer}/hello"`];
  }, [producer]);
  return (
    <Card title={t("first.title")} class="first" testId="first-steps">
      <p>{t("first.text")}</p>
      <ol>
        <li>
          <h3>{t("first.collect")}</h3>
          <p>{t("first.collect.text")}</p>
          <pre tabIndex={0} aria-label={t("first.collect")}>{collect}</pre>
          <CopyButton text={() => collect} label={t("action.copy")} />
        </li>
        <li>
          <h3>{t("first.proxy")}</h3>
          <p>{t("first.proxy.text")}</p>
          <pre tabIndex={0} aria-label={t("first.proxy")}>{proxy}</pre>
          <CopyButton text={() => proxy} label={t("action.copy")} />
        </li>
      </ol>
      <p class="hint">{t("first.then")}</p>
    </Card>
  );
}
