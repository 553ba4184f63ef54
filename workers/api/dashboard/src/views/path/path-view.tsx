// One path: its traffic, its latency, what it answers, and single requests.
import type { PathStats } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { isCatchAll } from "../../model/catch-all.ts";
import { METHODS, STATUS_CLASSES } from "../../model/place.ts";
import { parameters } from "../../model/ranges.ts";
import { useApi } from "../../state/data.ts";
import { usePlace } from "../../state/place.tsx";
import { useSettings } from "../../state/settings.tsx";
import { RangeBar, useRange } from "../../shell/range-bar.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Select } from "../../ui/fields.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { Tiles } from "../tiles.tsx";
import { Methods } from "./methods.tsx";
import { PathCharts } from "./charts.tsx";
import { PathPicker } from "./path-picker.tsx";
import { RawEvents } from "./raw-events.tsx";

export function PathView() {
  const { place } = usePlace();
  return place.path ? <OnePath key={place.path} path={place.path} /> : <PathPicker />;
}

const ANY = "any";

function OnePath({ path }: { path: string }) {
  const { place, go, zone } = usePlace();
  const { t } = useSettings();
  const range = useRange();
  const key = withQuery("/paths/stats", {
    path,
    ...parameters(range, zone),
    compare: place.compare ? "previous" : "none",
    method: place.method,
    statusClass: place.statusClass,
  });
  const { data, error, busy, again } = useApi<PathStats>(key);
  const never = data && data.total.requests === 0 && !place.method && !place.statusClass;
  const filtered = data?.accuracy?.filtered ?? null;
  const any = { value: ANY, label: t("filter.any") };
  return (
    <>
      <div class="title-row">
        <h1 class="path-title">{path}</h1>
        <CopyButton text={() => location.href} label={t("action.copyLink")} />
        <button type="button" class="button button-quiet" onClick={() => go({ path: null })}>{t("path.other")}</button>
      </div>
      <RangeBar of={data} />
      <div class="filters">
        <Select label={t("filter.method")} value={place.method ?? ANY} choices={[any, ...METHODS.map((value) => ({ value, label: value }))]} onChange={(method) => go({ method: method === ANY ? null : method })} />
        <Select label={t("filter.status")} value={place.statusClass ?? ANY} choices={[any, ...STATUS_CLASSES.map((value) => ({ value, label: value }))]} onChange={(status) => go({ statusClass: status === ANY ? null : status })} />
        {filtered && <span class="hint">{t("filter.note")}</span>}
      </div>
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {never && <p class="notice">{t("path.nothing")}</p>}
      <Tiles total={data?.total ?? null} series={data?.series ?? []} previous={data?.previous ?? null} filtered={filtered} />
      <PathCharts data={data} busy={busy} />
      <Methods methods={data?.methods} />
      {isCatchAll(path) ? <p class="notice">{t("path.catchAll")}</p> : <RawEvents path={path} />}
    </>
  );
}
