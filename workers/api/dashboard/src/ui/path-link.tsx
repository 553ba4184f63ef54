// A path, as a link to its own view.
import { usePlace } from "../state/place.tsx";
import { isPlain } from "../shell/header.tsx";

export function PathLink({ path }: { path: string }) {
  const { go, href } = usePlace();
  const there = { view: "path" as const, path, method: null, statusClass: null, day: null };
  return (
    <a
      class="path"
      href={href(there)}
      title={path}
      onClick={(event) => {
        if (!isPlain(event)) return;
        event.preventDefault();
        go(there);
      }}
    >
      {path}
    </a>
  );
}
