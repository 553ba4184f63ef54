// The figures of a range, for all paths or for one.
import type { Bounded, Bucket, Figures, Series } from "../api/types.ts";
import { changeOf, isSampled, likeForLike } from "../model/figures.ts";
import { useSettings } from "../state/settings.tsx";
import { ChangeBadge } from "../ui/change.tsx";
import { Tile } from "../ui/tile.tsx";

interface Props {
  total: Figures | null;
  series: readonly Bucket[];
  previous: Series | null;
  /** Why percentiles and clients are missing. */
  filtered?: string | null;
}

export function Tiles({ total, series, previous, filtered }: Props) {
  const { t, format } = useSettings();
  const like = likeForLike(series, previous, Date.now());
  const before = previous?.total ?? null;
  const bounds = (bounded: Bounded | null | undefined, tell: (value: number) => string) =>
    bounded && bounded.low !== bounded.high ? t("tile.bounds", { low: tell(bounded.low), high: tell(bounded.high) }) : bounded ? t("tile.exact") : null;
  const latency = (name: "p50" | "p95" | "p99") => (
    <Tile
      label={t(`figure.${name}`)}
      value={total && format.ms(total[name]?.value)}
      note={total && !total[name] && filtered ? t("tile.filtered") : bounds(total?.[name], format.ms)}
      change={<ChangeBadge change={changeOf(total?.[name]?.value, before?.[name]?.value)} more="bad" tell={format.ms} />}
    />
  );
  const sampled = total && isSampled(total) ? t("tile.estimated", { requests: format.compact(total.estimatedRequests) }) : null;
  return (
    <dl class="tiles" data-testid="tiles">
      <Tile label={t("figure.requests")} value={total && format.compact(total.requests)} note={sampled ?? (total && total.requests >= 10_000 ? format.number(total.requests) : null)} change={<ChangeBadge change={like.requests} more="neutral" tell={format.number} />} />
      <Tile
        label={t("figure.errorRate")}
        value={total && format.percent(total.requests ? total.errorRate : null)}
        note={total && t("tile.errors", { errors: format.number(total.errors) })}
        change={<ChangeBadge change={like.errorRate} more="bad" tell={format.percent} />}
        mood={total && total.errorRate >= 0.05 ? "bad" : ""}
      />
      {latency("p50")}
      {latency("p95")}
      {latency("p99")}
      <Tile
        label={t("figure.uniqueIps")}
        value={total && format.compact(total.uniqueIps?.value)}
        note={total && !total.uniqueIps && filtered ? t("tile.filtered") : bounds(total?.uniqueIps, format.compact)}
        change={<ChangeBadge change={changeOf(total?.uniqueIps?.value, before?.uniqueIps?.value)} more="neutral" tell={format.number} />}
      />
    </dl>
  );
}
