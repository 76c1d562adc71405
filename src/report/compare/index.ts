export type { ComparedRun } from './compare.ts';
export { compareRuns } from './compare.ts';
export type { Links } from './html.ts';
export { renderComparisonHtml } from './html.ts';
export { renderComparisonMarkdown } from './markdown.ts';
export { Comparison } from './schema.ts';
export type { FindPlace, SettingPath } from './settings.ts';
export type { TextOptions } from './text.ts';
export { renderComparisonText } from './text.ts';
