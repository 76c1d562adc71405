import { trustedMarkup } from '../markup.ts';

/** Of the page of a model. */
export const modelStyle = trustedMarkup(`
.net{max-height:80vh;overflow:auto;max-width:100%;border:1px solid var(--line);border-radius:8px;padding:12px;text-align:center}
.net svg{display:inline-block}
.net .edge{fill:none;stroke:var(--muted);stroke-width:1.2}
.net rect{fill:var(--surface);stroke:var(--line)}
.net .input rect,.net .output rect{fill:var(--paper);stroke:var(--c0)}
.net .unknown rect{stroke-dasharray:4 3;stroke:var(--c1)}
.net a:hover rect,.net a:focus rect{stroke:var(--c0);stroke-width:2}
.net text{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:var(--ink)}
.net text.op{font-size:12px;font-weight:600}.net text.shape{font-size:11px;fill:var(--muted)}
.bins{display:inline-block;min-width:150px;vertical-align:middle}.bins path{fill:var(--c0)}
.name{overflow-wrap:anywhere;min-width:9em;display:inline-block}
tr:target,tr:has(:target){background:var(--surface)}
.numbers{max-height:16em;overflow:auto;font-size:.8rem}
@media print{.net{max-height:none;overflow:visible;border:0;padding:0}.net svg{max-width:100%;height:auto}.numbers{max-height:none}}
`);
