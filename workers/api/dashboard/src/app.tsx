// The page: who is signed in, where they are, and the view of that place.
import { useEffect } from "preact/hooks";
import { SWRConfig } from "swr";
import { Announcer } from "./state/announce.tsx";
import { PlaceProvider, usePlace } from "./state/place.tsx";
import { SessionProvider, useSignIn } from "./state/session.tsx";
import { SettingsProvider, useSettings } from "./state/settings.tsx";
import { SignIn } from "./shell/sign-in.tsx";
import { Brand, Header } from "./shell/header.tsx";
import { Overview } from "./views/overview/overview.tsx";
import { PathView } from "./views/path/path-view.tsx";
import { Archive } from "./views/archive/archive.tsx";
import { HealthView } from "./views/health/health.tsx";

export function App() {
  return (
    <PlaceProvider>
      <SettingsProvider>
        <Announcer>
          <SessionProvider>
            <Gate />
          </SessionProvider>
        </Announcer>
      </SettingsProvider>
    </PlaceProvider>
  );
}

function Gate() {
  const { state } = useSignIn();
  if (state.step === "checking") return <Checking />;
  if (state.step === "out") return <SignIn />;
  // What one reader saw is not kept for the next.
  return (
    <SWRConfig key={`${state.session.name} ${state.session.role}`} value={{ provider: () => new Map() }}>
      <Views />
    </SWRConfig>
  );
}

/** What stands there until it is known who asks. */
function Checking() {
  const { t } = useSettings();
  return (
    <main class="checking">
      <Brand />
      <p class="muted" role="status">{t("signIn.checking")}</p>
    </main>
  );
}

const VIEWS = { overview: Overview, path: PathView, archive: Archive, health: HealthView };

function Views() {
  const { place } = usePlace();
  const { t } = useSettings();
  const title = place.view === "path" && place.path ? place.path : t(`view.${place.view}`);
  useEffect(() => {
    document.title = `${title} · pathstats`;
  }, [title]);
  const View = VIEWS[place.view];
  return (
    <>
      <Header />
      <main id="main" tabIndex={-1} class="main">
        <View />
      </main>
    </>
  );
}
