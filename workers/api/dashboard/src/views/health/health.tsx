// Whether the system itself is well, and what waits for a person.
import type { Health } from "../../api/types.ts";
import { useApi } from "../../state/data.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { LevelBadge } from "../../ui/level.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { AlertsCard } from "./alerts.tsx";
import { AuditLog } from "./audit-log.tsx";
import { CapacityCard } from "./capacity.tsx";
import { CardinalityCard } from "./cardinality.tsx";
import { Checks } from "./checks.tsx";
import { CostCard } from "./cost.tsx";
import { DeadLettersCard } from "./dead-letters.tsx";
import { Drops } from "./drops.tsx";
import { Flow } from "./flow.tsx";
import { LedgerCard } from "./ledger.tsx";
import { ShardingCard } from "./sharding.tsx";

export const HEALTH_KEY = "/admin/health";

export function HealthView() {
  const { t, format } = useSettings();
  const { data, error, busy, again } = useApi<Health>(HEALTH_KEY);
  return (
    <>
      <h1 class="sr-only">{t("view.health")}</h1>
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      <AlertsCard />
      <Flow health={data} />
      <Card title={t("health.checks")} busy={busy} note={data && t("health.checkedAt", { time: format.clockSeconds(data.checkedAt) })} tools={data && <LevelBadge level={data.status} />} testId="checks">
        {data ? <Checks checks={data.checks} /> : <SkeletonRows rows={10} height={57} />}
      </Card>
      <LedgerCard />
      <DeadLettersCard />
      <div class="grid grid-2">
        <CapacityCard />
        <Drops drops={data?.recordingDrops} />
      </div>
      <ShardingCard />
      <CardinalityCard />
      <CostCard />
      <AuditLog />
    </>
  );
}
