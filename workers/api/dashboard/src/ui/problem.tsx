// What went wrong, and what to do next.
import { ApiError, kindOfError } from "../api/errors.ts";
import type { Translate } from "../i18n/index.ts";
import { useSettings } from "../state/settings.tsx";
import { Icon } from "./icon.tsx";

/** A headline and a next step for any failure. */
export function explain(error: unknown, t: Translate): { title: string; next: string } {
  const kind = kindOfError(error);
  const wait = error instanceof ApiError ? error.retryAfter : null;
  const next = kind === "limited" ? (wait ? t("problem.limited.wait", { seconds: wait }) : t("problem.limited.next")) : t(`problem.${kind}.next`);
  return { title: t(`problem.${kind}.title`), next };
}

interface Props {
  error: unknown;
  onRetry?: (() => unknown) | undefined;
  /** There is older data on the page. */
  stale?: boolean;
}

export function ProblemNotice({ error, onRetry, stale = false }: Props) {
  const { t } = useSettings();
  const { title, next } = explain(error, t);
  const told = error instanceof ApiError ? error : null;
  return (
    <div class="notice notice-problem" role="alert">
      <Icon name="warning" />
      <div>
        <strong>{title}</strong> {next} {stale && t("problem.stale")}
        {told && (told.message || told.requestId) && (
          <div class="notice-detail">
            {told.message && <span>{told.message}</span>} {told.requestId && <code>{told.requestId}</code>}
          </div>
        )}
      </div>
      {onRetry && (
        <button type="button" class="button" onClick={() => void onRetry()}>
          {t("action.retry")}
        </button>
      )}
    </div>
  );
}
