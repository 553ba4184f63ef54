import { archive } from "./en/archive.ts";
import { figures } from "./en/figures.ts";
import { health } from "./en/health.ts";
import { shell } from "./en/shell.ts";
import { views } from "./en/views.ts";

export const en = { ...shell, ...figures, ...views, ...archive, ...health } as const;
