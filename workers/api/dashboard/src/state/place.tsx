// The page's address as state: where the reader is, and how to go elsewhere.
import { createContext, type ComponentChildren } from "preact";
import { useCallback, useContext, useEffect, useMemo, useState } from "preact/hooks";
import { readPlace, writePlace, type Place } from "../model/place.ts";
import { localZone } from "../model/zone.ts";

interface Navigation {
  place: Place;
  /** Goes there. `replace` leaves no entry for Back: for what is typed. */
  go(change: Partial<Place>, options?: { replace?: boolean }): void;
  /** An address for a link. */
  href(change: Partial<Place>): string;
  /** The name of the zone in which times are shown. */
  zone: string;
}

const Context = createContext<Navigation | null>(null);

export function PlaceProvider({ children }: { children: ComponentChildren }) {
  const [place, setPlace] = useState(() => readPlace(location.search));
  useEffect(() => {
    const back = () => setPlace(readPlace(location.search));
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  const go = useCallback((change: Partial<Place>, { replace = false } = {}) => {
    const now = readPlace(location.search);
    const next = { ...now, ...change };
    const address = `${location.pathname}${writePlace(next)}`;
    if (replace || address === `${location.pathname}${location.search}`) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    setPlace(readPlace(location.search));
    if (next.view !== now.view || next.path !== now.path) scrollTo(0, 0);
  }, []);
  const value = useMemo(
    () => ({ place, go, href: (change: Partial<Place>) => `/${writePlace({ ...place, ...change })}`, zone: place.zone === "utc" ? "UTC" : localZone() }),
    [place, go],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function usePlace(): Navigation {
  const navigation = useContext(Context);
  if (!navigation) throw new Error("no PlaceProvider");
  return navigation;
}
