// One dead letter, with its body.
import type { DeadLetter } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { useApi } from "../../state/data.ts";
import { useSettings } from "../../state/settings.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";

/** JSON with lines and indents; anything else as it came. */
export function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

export function LetterDialog({ id, onClose }: { id: string; onClose(): void }) {
  const { t, format } = useSettings();
  const { data, error, again } = useApi<DeadLetter>(withQuery("/admin/dead-letters/show", { id }), { refreshInterval: 0 });
  return (
    <Dialog title={t("letters.one")} onClose={onClose} wide>
      {error !== undefined && <ProblemNotice error={error} onRetry={again} />}
      {!data && error === undefined && <SkeletonRows rows={6} />}
      {data && (
        <>
          <dl class="pairs">
            <dt>id</dt>
            <dd><code>{data.id}</code></dd>
            <dt>{t("column.reason")}</dt>
            <dd><code>{data.reason}</code></dd>
            <dt>{t("column.detail")}</dt>
            <dd>{data.detail}</dd>
            <dt>{t("column.firstSeen")}</dt>
            <dd>{format.full(data.firstSeen)}</dd>
            <dt>{t("column.attempts")}</dt>
            <dd>{format.number(data.attempts)}</dd>
          </dl>
          <h3>{t("letters.body")} <span class="muted">{format.bytes(data.bytes)}</span></h3>
          <pre class="body" tabIndex={0} aria-label={t("letters.body")} data-testid="letter-body">{readable(data.body ?? data.preview)}</pre>
          <CopyButton text={() => data.body ?? ""} label={t("action.copy")} />
        </>
      )}
    </Dialog>
  );
}
