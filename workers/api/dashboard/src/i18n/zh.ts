import type { en } from "./en.ts";
import { archive } from "./zh/archive.ts";
import { figures } from "./zh/figures.ts";
import { health } from "./zh/health.ts";
import { shell } from "./zh/shell.ts";
import { views } from "./zh/views.ts";

export const zh: Record<keyof typeof en, string> = { ...shell, ...figures, ...views, ...archive, ...health };
