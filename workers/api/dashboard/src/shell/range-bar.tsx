// Which time is shown, in which steps, and whether with the period before.
import { useMemo, useState } from "preact/hooks";
import type { Metrics } from "../api/types.ts";
import { RANGES, checkCustom, resolve, type Range, type RangeName } from "../model/ranges.ts";
import { HOUR, fromField, toField } from "../model/zone.ts";
import { useNow } from "../state/data.ts";
import { usePlace } from "../state/place.tsx";
import { useSettings } from "../state/settings.tsx";
import { Check, Segments, Select } from "../ui/fields.tsx";
import { Dialog } from "../ui/dialog.tsx";

/** The range that the place asks for, now. The same object until its ends move. */
export function useRange(): Range {
  const { place, zone } = usePlace();
  const now = useNow();
  const { from, to, granularity } = resolve(place, now, zone);
  return useMemo(() => ({ from, to, granularity }), [from, to, granularity]);
}

/** The bar; once there are figures `of` this range, also how new they are, and from which tier. */
export function RangeBar({ of }: { of: Pick<Metrics, "lastUpdated" | "dataSource"> | undefined }) {
  const { place, go } = usePlace();
  const { t, format } = useSettings();
  const range = useRange();
  const [editing, setEditing] = useState(false);
  const choices = [...RANGES.map((value) => ({ value, label: t(`range.${value}`) })), { value: "custom" as const, label: t("range.custom") }];
  return (
    <div class="range-bar">
      <Segments<RangeName | "custom">
        label={t("range.label")}
        choices={choices}
        value={place.range}
        onChange={(next) => (next === "custom" ? setEditing(true) : go({ range: next, from: null, to: null }))}
      />
      <Select
        label={t("range.step")}
        value={place.granularity}
        choices={[
          { value: "auto", label: t("range.step.auto", { step: t(`range.step.${range.granularity}`) }) },
          { value: "hour", label: t("range.step.hour") },
          { value: "day", label: t("range.step.day") },
        ]}
        onChange={(granularity) => go({ granularity })}
      />
      <Check label={t("range.compare")} checked={place.compare} onChange={(compare) => go({ compare })} />
      <span class="range-told" data-testid="range">
        {format.moment(range.from)} – {format.moment(range.to)} · {format.zone}
      </span>
      {of && (
        <span class="range-made" data-testid="range-made">
          {of.lastUpdated ? <span title={format.full(of.lastUpdated)}>{t("range.made", { time: format.moment(Date.parse(of.lastUpdated)) })}</span> : t("range.nothing")}{" "}
          <span class="tag" title={t(`tier.${of.dataSource}.title`)}>{t(`tier.${of.dataSource}`)}</span>
        </span>
      )}
      {editing && <CustomRange range={range} onClose={() => setEditing(false)} />}
    </div>
  );
}

function CustomRange({ range, onClose }: { range: Range; onClose(): void }) {
  const { go, zone } = usePlace();
  const { t } = useSettings();
  const [from, setFrom] = useState(toField(range.from, zone));
  const [to, setTo] = useState(toField(Math.min(range.to, Math.ceil(Date.now() / HOUR) * HOUR), zone));
  const [tried, setTried] = useState(false);
  const wrong = checkCustom(fromField(from, zone), fromField(to, zone), Date.now());
  const submit = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (wrong) return;
    go({ range: "custom", from: fromField(from, zone), to: fromField(to, zone) });
    onClose();
  };
  return (
    <Dialog title={t("range.custom.title")} onClose={onClose}>
      <form class="form" onSubmit={submit} noValidate>
        <label>
          {t("range.from")}
          <input type="datetime-local" value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
        </label>
        <label>
          {t("range.to")}
          <input type="datetime-local" value={to} onInput={(event) => setTo(event.currentTarget.value)} />
        </label>
        <p class="hint">{t("range.custom.hint", { zone })}</p>
        {tried && wrong && <p class="field-problem" role="alert">{t(`range.wrong.${wrong}`)}</p>}
        <div class="form-actions">
          <button type="button" class="button" onClick={onClose}>{t("action.cancel")}</button>
          <button type="submit" class="button button-primary">{t("range.apply")}</button>
        </div>
      </form>
    </Dialog>
  );
}
