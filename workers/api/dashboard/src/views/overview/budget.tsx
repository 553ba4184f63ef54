// How many more errors may happen before the objective of the range is missed.
import type { ErrorBudget } from "../../api/types.ts";
import { budgetLevel } from "../../model/figures.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { LevelBadge } from "../../ui/level.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";

export function Budget({ budget }: { budget: ErrorBudget | null | undefined }) {
  const { t, format } = useSettings();
  const level = budget ? budgetLevel(budget.spent, budget.burnRate1h) : "ok";
  const share = budget ? Math.min(1, Math.max(0, budget.spent)) : 0;
  return (
    <Card title={t("budget.title")} class="budget" testId="budget" tools={budget && <LevelBadge level={level} />}>
      {budget === undefined ? (
        <Skeleton height={244} />
      ) : budget === null || budget.requests === 0 ? (
        <div class="nothing">{t("budget.nothing")}</div>
      ) : (
        <>
          <p class="budget-left">
            <b>{format.percent(budget.remaining)}</b> {budget.remaining >= 0 ? t("budget.left") : t("budget.over")}
          </p>
          <div class={`meter meter-${level}`} role="img" aria-label={t("budget.spent", { share: format.percent(budget.spent) })}>
            <span style={{ width: `${share * 100}%` }} />
          </div>
          <dl class="pairs">
            <dt>{t("budget.objective")}</dt>
            <dd>{format.percent(budget.objective)}</dd>
            <dt>{t("budget.allowed")}</dt>
            <dd>{format.number(Math.floor(budget.allowedErrors))}</dd>
            <dt>{t("budget.errors", { counts: budget.counts })}</dt>
            <dd>{format.number(budget.errors)}</dd>
            <dt>{t("budget.burn")}</dt>
            <dd>{budget.burnRate1h === null ? format.none : `${format.decimal(budget.burnRate1h, budget.burnRate1h < 10 ? 1 : 0)} ×`}</dd>
          </dl>
          <p class="hint">{t(`budget.hint.${level}`)}</p>
        </>
      )}
    </Card>
  );
}
