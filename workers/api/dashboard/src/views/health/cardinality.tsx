// How many distinct paths each hour had room for, and which templates would have absorbed the rest.
import type { Cardinality, HourCardinality, Suggestion } from "../../api/types.ts";
import { useApi } from "../../state/data.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";

export function CardinalityCard() {
  const { t, format } = useSettings();
  const { data, error, busy, again } = useApi<Cardinality>("/admin/cardinality");
  const columns: Column<HourCardinality>[] = [
    { key: "hour", title: t("column.hour"), sort: ({ hour }) => hour, show: ({ hour }) => format.moment(`${hour}:00Z`), csv: ({ hour }) => hour },
    { key: "admitted", title: t("cardinality.admitted"), number: true, sort: ({ admittedPaths }) => admittedPaths, show: ({ admittedPaths, limit }) => t("cardinality.of", { paths: format.number(admittedPaths), limit: limit === null ? "∞" : format.number(limit) }), csv: ({ admittedPaths }) => admittedPaths },
    { key: "refused", title: t("cardinality.refused"), number: true, sort: ({ refusedPaths }) => refusedPaths, show: ({ refusedPaths }) => format.compact(refusedPaths), csv: ({ refusedPaths }) => refusedPaths },
    { key: "other", title: "(other)", number: true, sort: ({ other }) => other.requests, show: ({ other }) => format.number(other.requests), csv: ({ other }) => other.requests },
    { key: "notFound", title: "(not found)", number: true, sort: ({ notFound }) => notFound.requests, show: ({ notFound }) => format.number(notFound.requests), csv: ({ notFound }) => notFound.requests },
  ];
  const templates: Column<Suggestion>[] = [
    { key: "template", title: t("cardinality.template"), show: ({ template, examples }) => <code title={examples.join("\n")}>{template}</code>, csv: ({ template }) => template },
    { key: "share", title: t("cardinality.share"), number: true, sort: ({ share }) => share, show: ({ share }) => format.percent(share), csv: ({ share }) => share },
  ];
  return (
    <Card title={t("cardinality.title")} note={t("cardinality.note")} busy={busy} testId="cardinality" tools={data?.pathTemplates && <CopyButton text={() => `PATH_TEMPLATES=${data.pathTemplates}`} label={t("cardinality.copy")} />}>
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {!data && error === undefined && <SkeletonRows rows={6} />}
      {data && <Table name={t("cardinality.title")} csvWhat="cardinality" columns={columns} rows={data.hours} id={({ hour }) => hour} start={{ key: "hour", descending: true }} empty={t("cardinality.nothing")} />}
      {data && data.suggestions.length > 0 && (
        <>
          <p>{t("cardinality.suggested", { paths: format.number(data.sampledPaths) })}</p>
          <Table name={t("cardinality.template")} csvWhat="path-templates" columns={templates} rows={data.suggestions} id={({ template }) => template} start={{ key: "share", descending: true }} empty="" />
        </>
      )}
    </Card>
  );
}
