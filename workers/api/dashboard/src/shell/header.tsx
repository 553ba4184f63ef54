// What is always there: where one may go, how fresh the data is, and who is signed in.
import { VIEWS, type View } from "../model/place.ts";
import { usePlace } from "../state/place.tsx";
import { useSession } from "../state/session.tsx";
import { useSettings } from "../state/settings.tsx";
import { Freshness } from "./freshness.tsx";
import { Menu } from "./menu.tsx";

export const Brand = () => (
  <span class="brand">
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--accent)" />
      <path d="M7 21h4l3-11 4 14 3-9h4" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
    pathstats
  </span>
);

/** Whether a click is for this tab: others open a tab of their own, as links do. */
export const isPlain = (event: MouseEvent) => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

export function Header() {
  const { place, go, href } = usePlace();
  const { session } = useSession();
  const { t } = useSettings();
  const link = (view: View) => (
    <a
      key={view}
      href={href({ view })}
      aria-current={place.view === view ? "page" : undefined}
      onClick={(event) => {
        if (!isPlain(event)) return;
        event.preventDefault();
        go({ view });
      }}
    >
      {t(`view.${view}`)}
    </a>
  );
  return (
    <header class="header">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        {t("shell.skip")}
      </a>
      <div class="header-row">
        <div class="header-brand">
          <Brand />
          {session.environment !== "production" && <span class="environment">{session.environment}</span>}
        </div>
        <nav class="nav" aria-label={t("shell.views")}>{VIEWS.map(link)}</nav>
        <Freshness />
        <Menu />
      </div>
    </header>
  );
}
