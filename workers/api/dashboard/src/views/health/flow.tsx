// Where events are on their way: the queue, the outbox, the letters, the snapshot.
import type { Health } from "../../api/types.ts";
import { useSettings } from "../../state/settings.tsx";
import { Tile } from "../../ui/tile.tsx";

export function Flow({ health }: { health: Health | undefined }) {
  const { t, format } = useSettings();
  const seconds = (value: number | null | undefined) => (value === null || value === undefined ? format.none : format.ago(value));
  const queue = health?.queue;
  const drops = health?.recordingDrops?.reduce((sum, { requests }) => sum + requests, 0);
  const outbox = health?.outbox;
  const letters = health?.deadLetters?.total;
  return (
    <dl class="tiles" data-testid="flow">
      <Tile label={t("flow.heartbeat")} value={health ? seconds(health.heartbeat?.ageSeconds) : null} note={t("flow.heartbeat.note")} />
      <Tile label={t("flow.backlog")} value={health ? (queue ? format.compact(queue.backlogCount) : format.none) : null} note={queue ? format.bytes(queue.backlogBytes) : t("flow.unknown")} />
      <Tile label={t("flow.delay")} value={health ? seconds(queue?.oldestMessageAgeSeconds) : null} note={t("flow.delay.note")} />
      <Tile label={t("flow.outbox")} value={health ? format.compact(outbox?.messages) : null} note={outbox?.oldest ? t("flow.since", { time: format.moment(outbox.oldest) }) : t("flow.outbox.note")} />
      <Tile label={t("flow.deadLetters")} value={health ? format.compact(letters) : null} note={t("flow.deadLetters.note")} mood={letters ? "bad" : ""} />
      <Tile label={t("flow.drops")} value={health ? format.compact(drops) : null} note={t("flow.drops.note")} />
    </dl>
  );
}
