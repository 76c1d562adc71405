/** What charts look like; colours are variables of the page, so that they follow its theme. */
import { trustedMarkup } from '../markup.ts';

export const chartStyle = trustedMarkup(`
.charts.layer,.charts.tracks{grid-template-columns:repeat(auto-fill,minmax(min(100%,290px),1fr));gap:20px 32px}
section p{overflow-wrap:anywhere}
.chart.small figcaption{display:block;overflow-wrap:anywhere}.chart.small figcaption .muted{display:block;font-size:.8rem}
.charts+.scroll td small{white-space:normal;max-width:20ch;margin-left:auto}
.chart.wide{max-width:900px;margin:8px 0 16px}.chart.wide svg{min-width:600px}.chart.wide .scroll{margin:0}
.chart.small svg text,.chart.wide svg text{font-size:11.5px}.chart.small svg text.mark{font-size:11px}
.chart .muted{font-weight:400;color:var(--muted)}
.key.noisy::before,.key.exact::before{opacity:1}
.key.points::before{width:7px;height:7px;border:0;border-radius:50%;background:var(--c)}
svg text.name{fill:var(--muted)}
.curve.raw{stroke-width:1;opacity:.28}.curve.points{stroke-width:1;stroke-dasharray:2 3;opacity:.8}
.band{fill:var(--c1);opacity:.14}
svg .fill{fill:var(--c);stroke:none}.sticks{stroke:var(--c);fill:none}
rect.range{fill:var(--c2);opacity:.12}line.clip{stroke:var(--c2);stroke-width:1.5}
.buffer rect{fill:var(--c0);fill-opacity:.22;stroke:var(--c0);stroke-width:1}.buffer.largest rect{fill:var(--c1);fill-opacity:.3;stroke:var(--c1)}
svg text.buffer{fill:var(--ink)}
.help{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:4px 32px;margin:0 0 16px;font-size:.85rem;line-height:1.45}
.help div{display:flex;gap:10px}.help dt{flex:0 0 7.6em;font-weight:600}.help dd{margin:0;color:var(--muted)}
.help .key{margin-right:12px;display:inline-block}
.folding tbody tr:first-child>*{border-bottom:0;padding-bottom:0}.folding .fold td{padding:0 0 6px}
.folding details{margin:0}.folding summary{font-size:.78rem}
.bar.noise{display:inline-flex;width:120px}.bar.noise .fill{border-radius:0}
.blamed{color:var(--c1)!important;font-weight:600}
.numbers{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:8px 24px;margin:14px 0;font-size:.85rem}
.numbers dt{color:var(--muted);font-size:.78rem}.numbers dd{margin:0;overflow-wrap:anywhere}
@media (max-width:640px){.wide-only{display:none}.bar.noise{width:84px}.help div{display:block}.charts.layer,.charts.tracks{gap:16px}}
`);
