// No path was chosen yet: the busiest ones, and a search for any.
import { matching } from "../../model/order.ts";
import { usePlace } from "../../state/place.tsx";
import { useSettings } from "../../state/settings.tsx";
import { useSnapshot } from "../../state/data.ts";
import { Card } from "../../ui/card.tsx";
import { PathLink } from "../../ui/path-link.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SearchField } from "../../ui/search-field.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { FoundPaths } from "../overview/found-paths.tsx";

export function PathPicker() {
  const { place, go } = usePlace();
  const { t, format } = useSettings();
  const { data, error, again } = useSnapshot();
  const rows = matching(data?.paths ?? [], ({ path }) => path, place.search).slice(0, 30);
  return (
    <>
      <h1 class="sr-only">{t("view.path")}</h1>
      <Card title={t("picker.title")} note={t("picker.note")} tools={<SearchField label={t("top.search")} value={place.search} onInput={(search) => go({ search }, { replace: true })} />}>
        {error !== undefined && <ProblemNotice error={error} onRetry={again} />}
        {!data && error === undefined && <SkeletonRows rows={12} />}
        <ul class="picker">
          {rows.map(({ path, requests }) => (
            <li key={path}>
              <PathLink path={path} />
              <span class="muted num">{format.compact(requests)}</span>
            </li>
          ))}
        </ul>
        {data && rows.length === 0 && <p class="nothing">{place.search ? t("top.noMatch", { search: place.search }) : t("top.nothing")}</p>}
        {data && <FoundPaths search={place.search} known={data.paths} />}
      </Card>
    </>
  );
}
