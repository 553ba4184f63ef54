// Colours as the theme has them now, for what is drawn on a canvas.
import type { Colour } from "./spec.ts";

export interface Palette {
  colour(name: Colour | "text" | "grid" | "surface", alpha?: number): string;
}

export function palette(): Palette {
  const probe = document.createElement("span");
  document.body.append(probe);
  const known = new Map<string, string>();
  const resolve = (name: string) => {
    probe.style.color = `var(--chart-${name})`;
    return getComputedStyle(probe).color;
  };
  for (const name of ["blue", "red", "green", "amber", "purple", "sky", "grey", "text", "grid", "surface"]) known.set(name, resolve(name));
  probe.remove();
  return {
    colour(name, alpha = 1) {
      const [r, g, b] = (known.get(name) ?? "rgb(128,128,128)").match(/[\d.]+/g)?.map(Number) ?? [128, 128, 128];
      return `rgba(${r},${g},${b},${alpha})`;
    },
  };
}
