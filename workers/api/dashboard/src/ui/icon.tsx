// Signs of 16 by 16, drawn in the colour of the text.

const PATHS = {
  ok: "M3 8.5l3.2 3.2L13 5",
  warning: "M8 2.2L14.6 13.6H1.4ZM8 6.4v3.4M8 11.6v.4",
  critical: "M5.3 1.8h5.4l3.5 3.5v5.4l-3.5 3.5H5.3l-3.5-3.5V5.3ZM8 4.6v4M8 10.8v.4",
  unknown: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.3 6.4a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.9.6-.9 1.2M8 11.2v.3",
  refresh: "M13.5 8a5.5 5.5 0 1 1-1.7-4M13.6 1.8v2.7h-2.7",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6L12.6 8Z",
  up: "M8 12.5v-9M4.2 7.2L8 3.4l3.8 3.8",
  down: "M8 3.5v9M4.2 8.8L8 12.6l3.8-3.8",
  download: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M2.8 13.2h10.4",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.8 10.8L14 14",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h8v8h-8ZM3.5 10.5h-1v-8h8v1",
  left: "M10 3.5L5.5 8l4.5 4.5",
  right: "M6 3.5L10.5 8 6 12.5",
  table: "M2.5 3.5h11v9h-11ZM2.5 6.5h11M6.5 6.5v6",
  chart: "M2.5 2.5v11h11M5.5 11V8M8.5 11V5M11.5 11V7",
  settings: "M2.5 4.5h6M11.5 4.5h2M2.5 11.5h2M7.5 11.5h6M10 6a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM6 13a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z",
  archive: "M2 3h12v3H2ZM3.2 6v7.2h9.6V6M6.4 8.6h3.2",
  disk: "M3 4.2c0-1 2.2-1.8 5-1.8s5 .8 5 1.8v7.6c0 1-2.2 1.8-5 1.8s-5-.8-5-1.8ZM3 4.4c0 1 2.2 1.8 5 1.8s5-.8 5-1.8M3 8.2C3 9.2 5.2 10 8 10s5-.8 5-1.8",
  dot: "M8 9.4a1.4 1.4 0 1 0 0-2.8 1.4 1.4 0 0 0 0 2.8Z",
  differ: "M3 6h10M3 10h10M10.5 3l-5 10",
  run: "M8 2a6 6 0 1 1-6 6",
  broom: "M9.8 2.2L7.6 7.6M4.6 7.4l5.4 2.2-2 4.4-6-2.2c1.4-1 2-2.4 2.6-4.4Z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, spin = false }: { name: IconName; spin?: boolean }) {
  return (
    <svg class={`icon ${spin ? "spin" : ""}`} width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">
      <path d={PATHS[name]} />
    </svg>
  );
}
